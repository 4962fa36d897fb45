import { describe, expect, test } from "vitest";
import type { RecordingDetail } from "../src/api/client.js";
import { timeline } from "../src/pages/timeline.js";

type Step = RecordingDetail["history"][number];

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, second)).toISOString();

function step(second: number, event: Step["event"], given: Partial<Step> = {}): Step {
  const rest = { seq: second, state: "queued", version: second, attempt: 1, sentence: null, detail: null, actor: "w" };
  return { ...rest, event, at: at(second), reason: null, http_status: null, ...given } as Step;
}

const heard = { actor: "user:anna", by_link: false, how: "audio", until: null, bytes: null, result: null } as const;

describe("a recording's timeline", () => {
  test("has events, repeated webhooks and listeners in the order in which they came", () => {
    const entries = timeline({
      history: [step(1, "enqueue"), step(5, "claim"), step(9, "keep")],
      repeats: [{ at: at(3), status: "completed" }],
      listens: [{ ...heard, at: at(7) }, { ...heard, at: at(20) }],
    });
    expect(entries.map(({ kind, at: when }) => `${kind} ${new Date(when).getUTCSeconds()}`)).toEqual([
      "step 1", "repeat 3", "step 5", "listen 7", "step 9", "listen 20",
    ]);
  });

  test("folds tries that ended alike, and none that did not", () => {
    const deferred = { reason: "not_ready", http_status: 404 } as const;
    const history = [
      step(1, "enqueue"),
      step(2, "claim"), step(3, "defer", deferred),
      step(4, "claim"), step(5, "defer", deferred),
      step(6, "claim"), step(7, "defer", deferred),
      step(8, "claim"), step(9, "defer", { reason: "provider_error", http_status: 503 }),
      step(10, "claim"), step(11, "keep"),
    ];
    const entries = timeline({ history, repeats: [], listens: [] });
    expect(entries.map((entry) => (entry.kind === "tries" ? `${entry.count} tries` : entry.kind === "step" ? entry.step.event : ""))).toEqual([
      "enqueue", "3 tries", "claim", "defer", "claim", "keep",
    ]);
    expect(entries[1]).toMatchObject({ at: at(2), until: at(7), last: { http_status: 404 } });
  });
});
