/**
 * What a player says of where its recording stands, sentence by sentence and in the reader's words.
 */

import type { Model } from "./model.js";
import { type PlayerState, isPlayable } from "./situation.js";
import { type Name, type Words, clock } from "./words.js";

/** What there is to tell of. */
export interface Subject {
  model: Model;
  state: PlayerState;
  words: Words;
  /** A link that runs out is renewed: there is a key, or the page can give another one. */
  renews: boolean;
  note: string | null;
}

/** A sentence, or a few that stand together. */
export interface Said {
  text: string;
  /** It has a figure that goes up or down all the time: it is there for whoever looks, and interrupts nobody. */
  moves?: boolean;
}

/** Obstacles of which a listener learns nothing that the place in line, or the time of the next try, does not tell. */
const ORDINARY: ReadonlySet<string> = new Set([
  ...["put_off", "on_its_way", "slots_busy", "slot_kept", "account_busy", "account_full", "account_slowed", "no_worker"],
]);
const NOTHING = { reason: null, sentence: null };

/** Says where the recording stands: its state and what is to be known of it. */
export function told(subject: Subject): { title: string; said: readonly Said[] } {
  const { state, words } = subject;
  if (state === "streaming") return { title: words.say("ready"), said: [{ text: words.say(state) }] };
  if (state === "unverified") return { title: words.say("ready"), said: [{ text: words.say(whyUnverified(subject)) }] };
  if (isPlayable(state)) return { title: words.say("ready"), said: [] };
  if (state === "loading" || state === "empty") return { title: words.say("loading"), said: [] };
  return { title: words.say(state), said: explained(subject).filter(({ text }) => text !== "") };
}

/** Says what is to be known beside that. */
export function beside(subject: Subject): readonly Said[] {
  const { model, state, words } = subject;
  const recording = model.track?.recording;
  const said: Said[] = [];
  if (state === "streaming") said.push({ text: words.say("streaming") });
  if ((state === "streaming" || state === "downloading") && model.share !== null) {
    said.push({ text: words.say("percent", { percent: words.percent(model.share) }), moves: true });
  }
  if (state === "unverified") said.push({ text: words.say(whyUnverified(subject)) });
  const [found, total] = [model.sound.length, recording?.duration_s ?? null];
  if (found !== null && total !== null && total - found > Math.max(2, total * 0.1)) {
    said.push({ text: words.say("missing", { found: clock(found), total: clock(total) }) });
  }
  const connected = model.track?.connected;
  const isMoving = ["announced", "queued", "fetching"].includes(recording?.state ?? "");
  if (isMoving && (connected === "polling" || connected === "waiting")) said.push({ text: words.say("stale") });
  if (model.aside) {
    const why = model.aside.code === "unreachable" ? words.say("offlineLink") : model.aside.sentence;
    said.push({ text: words.say("didNotWork", { why }) });
  }
  if (subject.note) said.push({ text: subject.note });
  return said;
}

function explained(subject: Subject): Said[] {
  const { model, state, words } = subject;
  const recording = model.track?.recording ?? null;
  const one = (name: Name) => [{ text: words.say(name) }];
  switch (state) {
    case "waiting":
      return waiting(subject);
    case "downloading":
      return [...one("fromProvider"), ...(model.sound.intends ? one("playsSoon") : [])];
    case "failed":
      return [{ text: words.reason(recording ?? model.problem ?? NOTHING) ?? words.say("failedText") }];
    case "absent":
      return one("absentText");
    case "purged":
      if (!recording) return one("purgedTextOnly");
      return [{ text: words.say("purgedText", { time: words.dayAndTime(recording.updated_at) }) }];
    case "cancelled":
      return one("cancelledText");
    case "forbidden":
      if (model.problem?.code === "bad_link") return one("forbiddenLink");
      return one(model.problem?.code === "not_found" ? "forbiddenOne" : "forbiddenKey");
    case "expired":
      if (model.bare?.renewing) return one("expiredAsking");
      return one(subject.renews ? "expiredText" : "expiredLink");
    case "offline":
      return one(model.track ? "offlineText" : "offlineLink");
    default:
      return [{ text: broken(subject) }];
  }
}

function waiting({ model, words }: Subject): Said[] {
  const recording = model.track?.recording;
  if (!recording) return [{ text: words.say("notYet") }, { text: words.say(model.sound.intends ? "playsSoon" : "pressPlay") }];
  if (recording.state === "announced") return [{ text: words.say("announced") }];
  const said: Said[] = [];
  const add = (text: string | null, moves = false) => void (text && said.push({ text, moves }));
  if (recording.reason) add(words.reason(recording));
  if (recording.not_before) add(words.say("nextTry", { time: words.timeOfDay(recording.not_before) }));
  const found = model.track?.waiting;
  if (found?.obstacle && !ORDINARY.has(found.obstacle.code)) add(words.obstacle(found.obstacle));
  if (typeof found?.ahead === "number") add(words.place(found.ahead), true);
  if (said.length === 0) add(words.say("queued"));
  if (model.sound.intends) add(words.say("playsSoon"));
  return said;
}

function broken({ model, words }: Subject): string {
  const { problem } = model;
  if (problem?.code === "not_audio") return words.say("notAudio", { type: problem.sentence });
  if (problem?.code === "unplayable") return words.say("unplayable", { type: problem.sentence });
  return problem?.sentence ?? "";
}

function whyUnverified({ model }: Subject): Name {
  const lacking = model.track?.recording?.unverified ?? [];
  if (lacking.includes("duration")) return "unverifiedDuration";
  return lacking.includes("channels") ? "unverifiedChannels" : "unverified";
}
