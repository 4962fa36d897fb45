/**
 * What is to be seen of a player, from its model and in the reader's words. It decides nothing: what is pressed goes
 * back to the element as a call.
 */

import { html, nothing, type TemplateResult } from "lit";
import { LOOP, BACK, DOWNLOAD, FORWARD, PAUSE, PLAY, SHARE, SIGNS, SKIP, SOLO, SOUND_OFF, SOUND_ON } from "./icons.js";
import { SPEEDS, type Model } from "./model.js";
import { type PlayerState, actionFor, comes, isPlayable } from "./situation.js";
import { type Name, type Words, clock } from "./words.js";

/** What a person can do. */
export interface Actions {
  toggle(): void;
  skipBy(seconds: number): void;
  rate(rate: number): void;
  skipSilence(): void;
  loop(): void;
  share(): void;
  download(): void;
  mute(lane: number): void;
  solo(lane: number): void;
  retry(): void;
  again(): void;
  cancel(): void;
}

export interface View {
  model: Model;
  state: PlayerState;
  words: Words;
  actions: Actions;
  laneNames: readonly string[];
  mayDownload: boolean;
  mayCancel: boolean;
  /** A link that runs out is renewed: there is a key, or the page can give another one. */
  renews: boolean;
  note: string | null;
}

/** Obstacles of which a listener learns nothing that the place in line, or the time of the next try, does not tell. */
const ORDINARY: ReadonlySet<string> = new Set([
  ...["put_off", "on_its_way", "slots_busy", "account_busy", "account_full", "account_slowed", "no_worker"],
]);
const NOTHING = { reason: null, sentence: null };

export function body(view: View, timeline: TemplateResult): TemplateResult {
  if (isPlayable(view.state)) return html`${stage(view, timeline)} ${bar(view)} ${notes(view)}`;
  if (view.state === "loading") return loading(view);
  return message(view);
}

/** Says where the recording stands: its state and what is to be known of it. */
export function told(view: View): { title: string; text: string } {
  const { state, words } = view;
  if (isPlayable(state)) return { title: words.say("ready"), text: state === "streaming" ? words.say(state) : state === "unverified" ? words.say(whyUnverified(view)) : "" };
  if (state === "loading" || state === "empty") return { title: words.say("loading"), text: "" };
  return { title: words.say(state), text: explained(view) };
}

function explained(view: View): string {
  const { model, state, words } = view;
  const recording = model.track?.recording ?? null;
  switch (state) {
    case "waiting":
      return waitingText(view);
    case "downloading":
      return `${words.say("fromProvider")}${model.sound.intends ? ` ${words.say("playsSoon")}` : ""}`;
    case "failed":
      return words.reason(recording ?? model.problem ?? NOTHING) ?? words.say("failedText");
    case "absent":
      return words.say("absentText");
    case "purged":
      if (!recording) return words.say("purgedTextOnly");
      return words.say("purgedText", { time: words.dayAndTime(recording.updated_at) });
    case "cancelled":
      return words.say("cancelledText");
    case "forbidden":
      if (model.problem?.code === "bad_link") return words.say("forbiddenLink");
      return words.say(model.problem?.code === "not_found" ? "forbiddenOne" : "forbiddenKey");
    case "expired":
      if (model.bare?.renewing) return words.say("expiredAsking");
      return words.say(view.renews ? "expiredText" : "expiredLink");
    case "offline":
      return words.say(model.track ? "offlineText" : "offlineLink");
    default:
      return brokenText(view);
  }
}

function waitingText({ model, words }: View): string {
  const recording = model.track?.recording;
  if (!recording) return `${words.say("notYet")} ${words.say(model.sound.intends ? "playsSoon" : "pressPlay")}`;
  if (recording.state === "announced") return words.say("announced");
  const said: (string | null)[] = [];
  if (recording.reason) said.push(words.reason(recording));
  if (recording.not_before) said.push(words.say("nextTry", { time: words.timeOfDay(recording.not_before) }));
  const waiting = model.track?.waiting;
  if (waiting?.obstacle && !ORDINARY.has(waiting.obstacle.code)) said.push(words.obstacle(waiting.obstacle));
  if (typeof waiting?.ahead === "number") said.push(words.place(waiting.ahead));
  if (!said.some(Boolean)) said.push(words.say("queued"));
  if (model.sound.intends) said.push(words.say("playsSoon"));
  return said.filter(Boolean).join(" ");
}

/** What went wrong beside what is to be seen, such as a retry that was not heard; null: nothing. */
export function aside({ model, words }: View): string | null {
  const problem = model.aside;
  if (!problem) return null;
  return words.say("didNotWork", { why: problem.code === "unreachable" ? words.say("offlineLink") : problem.sentence });
}

function brokenText({ model, words }: View): string {
  const { problem } = model;
  if (problem?.code === "not_audio") return words.say("notAudio", { type: problem.sentence });
  if (problem?.code === "unplayable") return words.say("unplayable", { type: problem.sentence });
  return problem?.sentence ?? "";
}

function loading({ words }: View): TemplateResult {
  return html`<div class="skeleton" role="img" aria-label=${words.say("loading")}></div>`;
}

function message(view: View): TemplateResult {
  const { model, state, words, actions } = view;
  const recording = model.track?.recording ?? null;
  const { title, text } = told(view);
  const action = actionFor(state, recording, model.track !== null, model.isRefused);
  const busy = (model.track?.busy ?? false) || (model.bare?.renewing ?? false);
  const mayStop = view.mayCancel && ["announced", "queued", "fetching"].includes(recording?.state ?? "");
  return html`
    <div class="message">
      ${
        comes(state, recording)
          ? toggle(view, words.say("playWhenThere"))
          : html`<span class="sign">${SIGNS[state] ?? nothing}</span>`
      }
      <p class="text"><strong>${title}</strong> <span dir="auto">${text}</span></p>
      ${
        action
          ? html`<button class="button" ?disabled=${busy} @click=${action === "retry" ? actions.retry : actions.again}>
              ${words.say(action)}
            </button>`
          : nothing
      }
      ${
        mayStop
          ? html`<button class="button quiet" ?disabled=${busy} @click=${actions.cancel}>${words.say("cancel")}</button>`
          : nothing
      }
    </div>
    ${state === "downloading" ? flow(view) : nothing} ${notes(view)}
  `;
}

/** How far the download is, or only that it goes on. */
function flow({ model, words }: View): TemplateResult {
  const { share } = model;
  if (share === null) return html`<div class="flow" aria-hidden="true"></div>`;
  return html`<progress class="flow" max="1" .value=${share} aria-label=${words.say("downloading")}></progress>`;
}

function toggle({ model, words, actions }: View, play: string): TemplateResult {
  const { playing, loading: waits, intends } = model.sound;
  const isOn = playing || (waits && intends);
  return html`
    <button
      class="toggle"
      data-waits=${waits ? "yes" : "no"}
      aria-label=${isOn ? words.say("pause") : play}
      aria-keyshortcuts="k Space"
      @click=${actions.toggle}
    >
      ${isOn ? PAUSE : PLAY}
    </button>
  `;
}

function stage(view: View, timeline: TemplateResult): TemplateResult {
  const { model, words, actions } = view;
  return html`
    <div class="stage">
      ${
        model.lanes.length > 1
          ? html`<div class="lanes">
              ${model.lanes.map((lane, index) => {
                const name = view.laneNames[index] ?? words.say("channel", { n: index + 1 });
                return html`
                  <div class="lane" role="group" aria-label=${name}>
                    <span class="name" dir="auto">${name}</span>
                    <button
                      class="icon"
                      aria-pressed=${lane.muted ? "true" : "false"}
                      aria-label=${words.say("mute", { name })}
                      title=${words.say("mute", { name })}
                      @click=${() => actions.mute(index)}
                    >
                      ${lane.muted ? SOUND_OFF : SOUND_ON}
                    </button>
                    <button
                      class="icon"
                      aria-pressed=${lane.solo ? "true" : "false"}
                      aria-label=${words.say("solo", { name })}
                      title=${words.say("solo", { name })}
                      @click=${() => actions.solo(index)}
                    >
                      ${SOLO}
                    </button>
                  </div>
                `;
              })}
            </div>`
          : nothing
      }
      ${timeline}
    </div>
  `;
}

function bar(view: View): TemplateResult {
  const { model, words, actions } = view;
  const { seconds, sound, loop } = model;
  const loopName: Name = loop === null ? "loopStart" : loop.to === null ? "loopEnd" : "loopClear";
  const button = (name: string, sign: unknown, act: () => void, key: string | null, pressed: boolean | null = null) => html`
    <button
      class="icon"
      title=${name}
      aria-label=${name}
      aria-keyshortcuts=${key ?? nothing}
      aria-pressed=${pressed === null ? nothing : pressed ? "true" : "false"}
      @click=${act}
    >
      ${sign}
    </button>
  `;
  return html`
    <div class="bar">
      <div class="transport" dir="ltr">
        ${button(words.say("back"), BACK, () => actions.skipBy(-10), "j")} ${toggle(view, words.say("play"))}
        ${button(words.say("forward"), FORWARD, () => actions.skipBy(10), "l")}
      </div>
      <span class="time" dir="ltr" aria-hidden="true">
        <b>${clock(sound.position, seconds)}</b><i>/</i><span>${clock(seconds)}</span>
      </span>
      <span class="gap"></span>
      <div class="tools">
        <select
          dir="ltr"
          aria-label=${words.say("speed")}
          title=${words.say("speed")}
          @change=${(event: Event) => actions.rate(Number((event.target as HTMLSelectElement).value))}
        >
          ${SPEEDS.map(
            (rate) => html`<option value=${rate} ?selected=${rate === sound.rate}>${words.rate(rate)}</option>`,
          )}
        </select>
        ${
          model.peaks?.silences.some((spans) => spans.length > 0)
            ? button(words.say("skipSilence"), SKIP, actions.skipSilence, "s", model.skipsSilence)
            : nothing
        }
        ${button(words.say(loopName), LOOP, actions.loop, "b", loop !== null)}
        ${button(words.say("share"), SHARE, actions.share, null)}
        ${
          view.mayDownload && view.state !== "streaming"
            ? button(words.say("download"), DOWNLOAD, actions.download, null)
            : nothing
        }
      </div>
    </div>
  `;
}

function whyUnverified({ model }: View): Name {
  const lacking = model.track?.recording?.unverified ?? [];
  if (lacking.includes("duration")) return "unverifiedDuration";
  return lacking.includes("channels") ? "unverifiedChannels" : "unverified";
}

function notes(view: View): TemplateResult | typeof nothing {
  const { model, state, words } = view;
  const recording = model.track?.recording;
  const said: string[] = [];
  if (state === "streaming") said.push(words.say("streaming"));
  if (state === "streaming" || state === "downloading") {
    if (model.share !== null) said.push(words.say("percent", { percent: words.percent(model.share) }));
  }
  if (state === "unverified") said.push(words.say(whyUnverified(view)));
  const [found, total] = [model.sound.length, recording?.duration_s ?? null];
  if (found !== null && total !== null && total - found > Math.max(2, total * 0.1)) {
    said.push(words.say("missing", { found: clock(found), total: clock(total) }));
  }
  const connected = model.track?.connected;
  const isMoving = ["announced", "queued", "fetching"].includes(recording?.state ?? "");
  if (isMoving && (connected === "polling" || connected === "waiting")) said.push(words.say("stale"));
  const beside = aside(view);
  if (beside) said.push(beside);
  if (view.note) said.push(view.note);
  return said.length ? html`<p class="note">${said.join(" ")}</p>` : nothing;
}
