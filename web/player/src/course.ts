/**
 * Where playing goes on: round the A–B loop, past silence; and the address that leads back to a place.
 */

import type { Span } from "./peaks.js";

/** Of a silence that is skipped so much is heard at its ends, so that words do not run into each other. */
const MARGIN_S = 0.25;
const LEAST_SKIP_S = 0.3;
/** A loop is at least so long; it keeps two presses at one place from becoming a stutter. */
export const LEAST_LOOP_S = 0.3;

export interface Loop {
  from: number;
  /** Null: its end is not set yet. */
  to: number | null;
}

/** Returns where to go on instead of at `position`; null: just go on. */
export function jump(position: number, loop: Loop | null, silences: readonly Span[]): number | null {
  if (loop && loop.to !== null && position >= loop.to) return loop.from;
  for (const [from, to] of silences) {
    const goal = to - MARGIN_S;
    if (position >= from + MARGIN_S && goal - position >= LEAST_SKIP_S) {
      return loop?.to != null && goal >= loop.to ? loop.from : goal;
    }
  }
  return null;
}

/** Returns the loop after one more press: set its start, then its end, then none. */
export function nextLoop(loop: Loop | null, position: number): Loop | null {
  if (loop === null) return { from: position, to: null };
  if (loop.to !== null) return null;
  const [from, to] = [Math.min(loop.from, position), Math.max(loop.from, position)];
  return to - from < LEAST_LOOP_S ? loop : { from, to };
}

export interface Place {
  position: number;
  loop: Loop | null;
}

/** Reads `#t=83.5` or `#t=83.5,90` (also `1:23`); null where the fragment names no place, or another recording's. */
export function placeIn(fragment: string, recording: string | null): Place | null {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const named = given.get("recording");
  if (named !== null && named !== recording) return null;
  const [from, to] = (given.get("t") ?? "").split(",").map(seconds);
  if (from === undefined || Number.isNaN(from)) return null;
  const isLoop = to !== undefined && to - from >= LEAST_LOOP_S;
  return { position: from, loop: isLoop ? { from, to } : null };
}

/** Returns the page's address with that place in it; what else its fragment says stays. */
export function addressOf(page: string, recording: string | null, place: Place): string {
  const url = new URL(page);
  const fragment = new URLSearchParams(url.hash.replace(/^#/, ""));
  const rounded = (value: number) => String(Math.round(value * 10) / 10);
  const { loop } = place;
  const time = loop && loop.to !== null ? `${rounded(loop.from)},${rounded(loop.to)}` : rounded(place.position);
  fragment.delete("t");
  fragment.delete("key"); // never a secret
  if (recording !== null) fragment.set("recording", recording);
  const rest = fragment.toString();
  url.hash = rest ? `t=${time}&${rest}` : `t=${time}`;
  return url.href;
}

function seconds(text: string): number {
  if (!/^\d+(:\d{1,2}){0,2}(\.\d+)?$/.test(text)) return Number.NaN;
  return text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
}
