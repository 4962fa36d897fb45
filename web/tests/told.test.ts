import { afterEach, expect, test } from "vitest";
import type { Waiting } from "../src/api/client.js";
import { Problem } from "../src/api/problem.js";
import { problemSentence, whyItWaits } from "../src/i18n/told.js";

afterEach(() => localStorage.clear());

const speak = (tag: string) => localStorage.setItem("callspool.language", tag);
const waits = (place: Waiting["place"], ahead: number | null = null) =>
  ({ id: "rec_1", state: "queued", place, ahead, received: null, expected: null, sentence: "Tenant acme is paused." }) as Waiting;

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

test("why a recording waits is told by its place, with what only the server knows beside it", () => {
  expect(whyItWaits(waits("waiting", 3))).toEqual({ sentence: "Tenant acme is paused.", detail: null });
  speak("he");
  expect(whyItWaits(waits("waiting", 3)).sentence).toContain("3");
  expect(whyItWaits(waits("waiting", 3)).detail).toBe("Tenant acme is paused.");
  const said = (["running", "deferred", "unknown", null] as const).map((place) => whyItWaits(waits(place)));
  expect(new Set(said.map(({ sentence }) => sentence)).size).toBe(4);
  expect(said.map(({ detail }) => detail)).toEqual([null, null, null, null]);
});
