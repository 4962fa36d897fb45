/**
 * What happened to a recording, in the order in which it did: its own events, webhooks that changed nothing, and
 * who listened. Tries that ended alike, one after the other, are one entry.
 */

import type { RecordingDetail } from "../api/client.js";

type Step = RecordingDetail["history"][number];
type Repeat = RecordingDetail["repeats"][number];
type Listen = RecordingDetail["listens"][number];

export type Entry =
  | { kind: "step"; at: string; step: Step }
  /** Several tries that ended alike: from the first one's beginning to the last one's end. */
  | { kind: "tries"; at: string; until: string; count: number; last: Step }
  | { kind: "repeat"; at: string; repeat: Repeat }
  | { kind: "listen"; at: string; listen: Listen };

type Told = Pick<RecordingDetail, "history" | "repeats" | "listens">;

/** Returns the entries, oldest first. */
export function timeline({ history, repeats, listens }: Told): Entry[] {
  const entries: Entry[] = [
    ...folded(history),
    ...repeats.map((repeat): Entry => ({ kind: "repeat", at: repeat.at, repeat })),
    ...listens.map((listen): Entry => ({ kind: "listen", at: listen.at, listen })),
  ];
  return entries.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

/** Folds pairs of claim and put-off that repeat with the same reason and the same answer. */
function folded(history: readonly Step[]): Entry[] {
  const entries: Entry[] = [];
  for (let index = 0; index < history.length; ) {
    const alike = run(history, index);
    const first = history[index];
    const last = history[index + alike * 2 - 1];
    if (alike >= 2 && first && last) {
      entries.push({ kind: "tries", at: first.at, until: last.at, count: alike, last });
      index += alike * 2;
    } else if (first) {
      entries.push({ kind: "step", at: first.at, step: first });
      index += 1;
    }
  }
  return entries;
}

/** Returns how many tries that begin at *index* ended alike. */
function run(history: readonly Step[], index: number): number {
  const pattern = history[index + 1];
  let count = 0;
  for (; pattern; count++) {
    const [claim, end] = [history[index + count * 2], history[index + count * 2 + 1]];
    const isAlike = end?.reason === pattern.reason && end.http_status === pattern.http_status;
    if (claim?.event !== "claim" || end?.event !== "defer" || !isAlike) break;
  }
  return count;
}
