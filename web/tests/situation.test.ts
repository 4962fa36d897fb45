import { expect, test } from "vitest";
import type { Recording } from "../src/api/client.js";
import { Problem } from "../src/api/problem.js";
import { type Facts, actionFor, comes, isPlayable, situation } from "../player/src/situation.js";

const recording = (state: string, changes: Partial<Recording> = {}) => ({ id: "r", state, ...changes }) as Recording;
const facts = (changes: Partial<Facts>): Facts => ({
  recording: null,
  waiting: null,
  problem: null,
  streaming: false,
  playing: false,
  linkOnly: false,
  wanted: true,
  ...changes,
});
const problem = (code: string, status = 409) => new Problem(code, "", status);

test.each([
  ["announced", "waiting"],
  ["queued", "waiting"],
  ["fetching", "downloading"],
  ["ready", "ready"],
  ["failed", "failed"],
  ["absent", "absent"],
  ["cancelled", "cancelled"],
  ["purged", "purged"],
])("a recording that is %s is %s for who listens", (state, expected) => {
  expect(situation(facts({ recording: recording(state) }))).toBe(expected);
});

test("what is heard while it comes is streaming, and what nobody could compare is unverified", () => {
  expect(situation(facts({ recording: recording("fetching"), streaming: true }))).toBe("streaming");
  expect(situation(facts({ recording: recording("ready", { verified: false }) }))).toBe("unverified");
});

test.each([
  ["unauthenticated", 401, "forbidden"],
  ["not_found", 404, "forbidden"],
  ["link_expired", 403, "expired"],
  ["unreachable", 0, "offline"],
  ["unplayable", 200, "broken"],
  ["unavailable", 503, "broken"],
])("the problem %s is shown as such while nothing else is known", (code, status, expected) => {
  expect(situation(facts({ problem: problem(code, status) }))).toBe(expected);
});

test("a request that failed does not hide what is known of a recording that has no sound", () => {
  const failed = recording("failed");
  expect(situation(facts({ recording: failed, problem: problem("unreachable", 0) }))).toBe("failed");
  expect(situation(facts({ recording: recording("ready"), problem: problem("unreachable", 0) }))).toBe("offline");
  expect(situation(facts({ recording: failed, problem: problem("unauthenticated", 401) }))).toBe("forbidden");
});

test("without a recording and a link there is nothing; with a link it is taken for ready", () => {
  expect(situation(facts({ wanted: false }))).toBe("empty");
  expect(situation(facts({}))).toBe("loading");
  expect(situation(facts({ linkOnly: true }))).toBe("ready");
});

test("a retry is offered where it makes sense, and only to who may ask", () => {
  expect(actionFor("failed", recording("failed", { reason: "truncated" }), true)).toBe("retry");
  expect(actionFor("failed", recording("failed", { reason: "gone" }), true)).toBeNull();
  expect(actionFor("failed", null, false)).toBeNull();
  expect(actionFor("offline", null, false)).toBe("again");
  expect(actionFor("forbidden", null, true)).toBeNull(); // another tenant's
  expect(actionFor("forbidden", null, true, true)).toBe("again"); // the key may be another one by now
  expect(actionFor("absent", recording("absent"), true)).toBeNull();
});

test("one can ask to hear what waits or comes, but not what the provider has not finished", () => {
  expect(comes("waiting", recording("queued"))).toBe(true);
  expect(comes("waiting", recording("announced"))).toBe(false);
  expect(["ready", "unverified", "streaming"].every((state) => isPlayable(state as "ready"))).toBe(true);
});

test("a link to what is on its way waits, plays while it comes, and can be asked for", () => {
  const coming = problem("not_ready");
  expect(situation(facts({ linkOnly: true, problem: coming }))).toBe("waiting");
  expect(situation(facts({ linkOnly: true, problem: coming, streaming: true }))).toBe("streaming");
  expect(comes("waiting", null)).toBe(true);
});
