import { afterEach, expect, test } from "vitest";
import type { Waiting } from "../src/api/client.js";
import { Problem } from "../src/api/problem.js";
import { problemSentence, whyItWaits } from "../src/i18n/told.js";

type Obstacle = NonNullable<Waiting["obstacle"]>;

afterEach(() => localStorage.clear());

const speak = (tag: string) => localStorage.setItem("callspool.language", tag);
const NOTHING = { account: null, tenant: null, until: null, held: null, limit: null, set_limit: null };
const waits = (obstacle: Partial<Obstacle> | null, ahead: number | null = null): Waiting => ({
  ...{ id: "rec_1", state: "queued", place: "waiting", ahead, received: null, expected: null },
  obstacle: obstacle && ({ ...NOTHING, ...obstacle } as Obstacle),
  sentence: "As the server says.",
});

test("a problem is told by its code, and what is particular to it as the server says it", () => {
  const refused = new Problem("operator_only", "Use the operator's key.", 403);
  const wrong = new Problem("invalid_input", "slots: at most 1000", 422);
  expect(problemSentence(refused)).toBe("Use the operator's key.");
  for (const tag of ["he", "ar"]) {
    speak(tag);
    expect(problemSentence(refused)).toMatch(/^[\u0590-\u06ff]/);
    expect(problemSentence(refused)).not.toContain("operator");
    expect(problemSentence(wrong)).toContain("\u2068slots: at most 1000\u2069");
    expect(problemSentence(new Problem("quite_new", "As it says.", 400))).toBe("As it says.");
  }
});

test("why a recording waits is told by its obstacle's code and figures, in the reader's language", () => {
  const busy = waits({ code: "slots_busy", tenant: "acme", held: 2, limit: 3 }, 3);
  const refused = waits({ code: "account_refused", account: "main", until: "2026-11-23T12:00:05Z" }, 0);
  expect(whyItWaits(busy)).toBe("2 of 3 slots of tenant \u2068acme\u2069 are busy. 3 recordings are before it.");
  expect(whyItWaits(refused)).toMatch(/^Account \u2068main\u2069 is paused until \d+:\d\d:05.*credentials. It is the next in line.$/);
  for (const tag of ["he", "ar"]) {
    speak(tag);
    expect(whyItWaits(busy).replace("\u2068acme\u2069", "")).not.toMatch(/[A-Za-z{}]/);
    expect(whyItWaits(busy)).toMatch(/2.*3.*acme.*3/);
    expect(whyItWaits(refused)).toMatch(/main.*:05/);
  }
  speak("en-XA");
  expect(whyItWaits(busy)).toMatch(/^\[.*\u2068acme\u2069.*\]$/);
});

test("what runs is being fetched, and what a newer server names is told in its own words", () => {
  expect(whyItWaits(waits(null))).toBe("It is being fetched from the provider.");
  speak("he");
  expect(whyItWaits(waits(null))).toMatch(/^[\u0590-\u05ff]/);
  expect(whyItWaits(waits({ code: "quite_new" as Obstacle["code"] }))).toContain("As the server says.");
});
