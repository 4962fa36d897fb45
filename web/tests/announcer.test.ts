import { expect, test } from "vitest";
import { Announcer } from "../player/src/announcer.js";
import type { Subject } from "../player/src/said.js";
import { Words } from "../player/src/words.js";
import { Problem } from "../src/api/problem.js";

const SOUND = { intends: false, length: null };

function subject(state: string, model: object, changes: object = {}): Subject {
  const nothing = { track: null, bare: null, problem: null, aside: null, share: null, sound: SOUND };
  const given = { state, words: new Words("en"), renews: true, note: null, model: { ...nothing, ...model } };
  return { ...given, ...changes } as unknown as Subject;
}

/** Returns what is said of each of these, one after the other. */
function spoken(...subjects: Subject[]): string[] {
  const announcer = new Announcer();
  let before = "";
  return subjects.map((one) => {
    announcer.hear(one);
    const said = announcer.text === before ? "" : announcer.text;
    before = announcer.text;
    return said;
  });
}

test("how much of a download is here is not said at each step", () => {
  const steps = [null, 0.1, 0.2, 0.3].map((share) => subject("downloading", { share }));
  expect(spoken(...steps)).toEqual(["On its way. It is being fetched from the provider.", "", "", ""]);
});

test("each sentence that takes another's place within a state is said, and only once", () => {
  const problem = new Problem("link_expired", "", 403);
  const asking = subject("expired", { problem, bare: { renewing: true } });
  const asked = subject("expired", { problem, bare: { renewing: false } });
  expect(spoken(asking, asking, asked, asked)).toEqual([
    "The link has expired. A new link is being asked for.",
    "",
    "A new one did not work either. Try again, or ask for another link.",
    "",
  ]);
});

test("what comes beside the state is said after it, and not what stood there already", () => {
  const track = { recording: { state: "fetching" }, connected: "polling" };
  expect(spoken(subject("downloading", { track }), subject("streaming", { track }))).toEqual([
    "On its way. It is being fetched from the provider. Not connected: this may be old.",
    "Ready to play. Plays while it comes. Its end is not here yet.",
  ]);
});
