/**
 * Keeps a page up to date: by the server's events, and with those gone by a few polls. It never starts any work
 * on the server (F9), never stops listening while the page is open (F25), and honours Retry-After.
 */

import type { Client, LiveEvent } from "./client.js";
import { Problem } from "./problem.js";
import type { Runtime } from "./runtime.js";

/** `refused`: the key is not valid, and nothing more is tried. */
export type Connection = "connecting" | "live" | "polling" | "waiting" | "refused";

/**
 * Why what is shown must be read anew: the stream was opened without a number to go on from; it cannot be had and
 * this is one of the few polls; something was missed; the server went back to an older state of its own, so that
 * even a lower version is the newer one.
 */
export type Cause = "opened" | "poll" | "gap" | "restored";

export interface Listener {
  /** Something happened to a recording. */
  event(event: LiveEvent): void;
  /** Nothing is known of what happened meanwhile: read anew what is shown. */
  refresh(cause: Cause): Promise<void>;
  connection(state: Connection, problem: Problem | null): void;
}

/** Polls while events cannot be had. After them the page waits for events alone. */
export const MOST_POLLS = 5;
/** The number from which the server goes on: lower than ours where it was restored from a backup. */
const GREETING = /^callspool (\d+)$/;
const FIRST_DELAY_MS = 1_000;
const MOST_DELAY_MS = 60_000;

/** Returns a delay with full jitter, never shorter than the server asked for. */
export function backoff(failures: number, random: number, floorMs: number): number {
  const ceiling = Math.min(FIRST_DELAY_MS * 2 ** Math.min(failures, 10), MOST_DELAY_MS);
  return Math.round(floorMs + Math.max(250, random * ceiling));
}

/** Follows the events until the signal aborts or the key is refused. */
export async function follow(
  client: Pick<Client, "events">,
  runtime: Pick<Runtime, "wait" | "random">,
  listener: Listener,
  signal: AbortSignal,
  after: string | null = null,
): Promise<void> {
  let lastId = after;
  let failures = 0;
  let polls = 0;
  let problem: Problem | null = null;

  while (!signal.aborted) {
    if (failures === 0) listener.connection("connecting", null);
    const attempt = new AbortController();
    try {
      const frames = await client.events(lastId, AbortSignal.any([signal, attempt.signal]));
      listener.connection("live", null);
      // The stream is open: what happens from here on is heard, so what is read now has no gap after it.
      if (lastId === null) await listener.refresh("opened");
      let heard = 0;
      for await (const frame of frames) {
        heard += 1;
        const begins = GREETING.exec(frame.data)?.[1];
        if (heard === 1 && frame.event === "" && begins && lastId !== null && Number(begins) < Number(lastId)) {
          lastId = begins;
          await listener.refresh("restored");
        }
        if (heard > 1) failures = polls = 0; // its greeting alone proves little
        if (frame.id !== null) lastId = frame.id;
        if (frame.event === "recording") listener.event(JSON.parse(frame.data) as LiveEvent);
      }
      problem = null;
    } catch (error) {
      problem = Problem.from(error);
    } finally {
      attempt.abort();
    }
    if (signal.aborted) return;

    if (!problem?.isRefusal && problem !== null && polls < MOST_POLLS) {
      polls += 1;
      listener.connection("polling", problem);
      try {
        await listener.refresh("poll");
      } catch (error) {
        problem = Problem.from(error);
      }
      if (signal.aborted) return;
    }
    if (problem?.isRefusal) {
      listener.connection("refused", problem);
      return;
    }
    failures += 1;
    if (problem !== null) listener.connection(polls < MOST_POLLS ? "polling" : "waiting", problem);
    const delay = backoff(failures, runtime.random(), problem?.retryAfterMs ?? 0);
    await runtime.wait(delay, signal).catch(() => undefined);
  }
}
