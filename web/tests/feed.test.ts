import { describe, expect, test } from "vitest";
import type { Client, LiveEvent } from "../src/api/client.js";
import { type Cause, type Connection, type Listener, MOST_POLLS, backoff, follow } from "../src/api/feed.js";
import type { Frame } from "../src/api/frames.js";
import { Problem } from "../src/api/problem.js";

const away = (retryAfterMs: number | null = null) => new Problem("unavailable", "away", 503, retryAfterMs);
const refused = new Problem("unauthenticated", "no", 401);

async function* frames(...given: Frame[]): AsyncGenerator<Frame, void> {
  yield* given;
}

function event(id: number): Frame {
  return { event: "recording", data: JSON.stringify({ seq: id }), id: String(id) };
}

const greeting: Frame = { event: "", data: "callspool 7", id: null };

/** A feed whose openings and polls end as given, and whose time passes at once. Ends after the last opening. */
async function run(openings: (Frame[] | Problem)[], refreshes: (Problem | null)[] = []) {
  const stop = new AbortController();
  const waits: number[] = [];
  const asked: (string | null)[] = [];
  const states: Connection[] = [];
  const heard: number[] = [];
  const causes: Cause[] = [];
  let polls = 0;
  const client: Pick<Client, "events"> = {
    events: async (after) => {
      const next = openings.shift();
      if (next === undefined) {
        stop.abort();
        throw away();
      }
      asked.push(after);
      if (next instanceof Problem) throw next;
      return frames(...next);
    },
  };
  const listener: Listener = {
    event: (live: LiveEvent) => void heard.push(live.seq),
    refresh: async (cause) => {
      causes.push(cause);
      polls += 1;
      const problem = refreshes.shift();
      if (problem) throw problem;
    },
    connection: (state) => void states.push(state),
  };
  const runtime = { wait: async (ms: number) => void waits.push(ms), random: () => 0.5 };
  await follow(client, runtime, listener, stop.signal);
  return { waits, asked, states, heard, polls, causes };
}

describe("follow", () => {
  test("notices a server that was restored to an older state, and goes on from there", async () => {
    const { asked, causes } = await run([[greeting, event(9)], [{ ...greeting, data: "callspool 4" }], []]);
    expect(asked).toEqual([null, "9", "4"]);
    expect(causes).toEqual(["opened", "restored"]);
  });

  test("reads what is shown once the stream is open, then hears events", async () => {
    const { heard, polls, states } = await run([[greeting, event(8), event(9)]]);
    expect(heard).toEqual([8, 9]);
    expect(polls).toBe(1);
    expect(states.slice(0, 2)).toEqual(["connecting", "live"]);
  });

  test("comes back with the last number and reads nothing anew", async () => {
    const { asked, polls } = await run([[greeting, event(8)], [event(9)], []]);
    expect(asked).toEqual([null, "8", "9"]);
    expect(polls).toBe(1);
  });

  test("reads anew after a break in which no number was known", async () => {
    expect((await run([[greeting], [greeting]])).polls).toBe(2);
  });

  test("polls a few times while events cannot be had, and then only waits for them", async () => {
    const { polls, waits, states } = await run(Array.from({ length: 12 }, () => away()));
    expect(polls).toBe(MOST_POLLS);
    expect(waits.length).toBe(12);
    expect(states.at(-1)).toBe("waiting");
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
    expect(waits[5]).toBeGreaterThan(waits[0] as number);
  });

  test("a stream that delivers gives the polls back", async () => {
    const fails = Array.from({ length: 8 }, () => away());
    const { polls } = await run([...fails, [greeting, event(1), event(2)], ...fails]);
    expect(polls).toBe(MOST_POLLS + 1 + MOST_POLLS);
  });

  test("honours Retry-After of the stream and of a poll", async () => {
    expect((await run([away(30_000)])).waits[0]).toBeGreaterThanOrEqual(30_000);
    expect((await run([away()], [away(40_000)])).waits[0]).toBeGreaterThanOrEqual(40_000);
  });

  test("stops for good when the key is refused", async () => {
    const { asked, states, waits } = await run([refused, [greeting]]);
    expect(asked.length).toBe(1);
    expect(states.at(-1)).toBe("refused");
    expect(waits).toEqual([]);
  });

  test("a server that only greets is not asked in a tight loop", async () => {
    const { waits } = await run(Array.from({ length: 7 }, () => [greeting]));
    expect(waits.at(-1)).toBeGreaterThan(20_000);
  });
});

test("backoff has full jitter, a floor and a ceiling", () => {
  expect(backoff(1, 0, 0)).toBe(250);
  expect(backoff(3, 0.5, 0)).toBe(4_000);
  expect(backoff(50, 0.999, 0)).toBeLessThanOrEqual(60_000);
  expect(backoff(1, 0, 9_000)).toBe(9_250);
});
