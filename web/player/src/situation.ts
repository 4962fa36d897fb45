/**
 * Where a recording stands for a person who wants to listen: one word for the embedder and the style sheet, and
 * what the player offers. It says nothing in any language: words.ts does.
 */

import type { Recording, Waiting } from "../../src/api/client.js";
import type { Problem } from "../../src/api/problem.js";

/** The player's `state`. */
export type PlayerState =
  | "empty"
  | "loading"
  | "waiting"
  | "downloading"
  | "streaming"
  | "ready"
  | "unverified"
  | "failed"
  | "absent"
  | "purged"
  | "cancelled"
  | "forbidden"
  | "expired"
  | "offline"
  | "broken";

/** What one can press where there is nothing to hear. */
export type Action = "retry" | "again" | null;

export interface Facts {
  recording: Recording | null;
  waiting: Waiting | null;
  /** Why the last thing asked for did not come. */
  problem: Problem | null;
  /** Sound comes, or has come, out of a download that runs. */
  streaming: boolean;
  /** Sound is heard: whatever went wrong beside it takes its controls from nobody. */
  playing: boolean;
  /** There is a link and no recording to read: it is taken for ready until it is used. */
  linkOnly: boolean;
  wanted: boolean;
}

/** Reasons after which a retry can bring nothing. */
const HOPELESS: ReadonlySet<string> = new Set(["gone"]);

/** States in which nothing more is asked of the server by itself. */
export const SETTLED: ReadonlySet<string> = new Set(["ready", "failed", "cancelled", "absent", "purged"]);

const BY_CODE: Readonly<Record<string, PlayerState>> = {
  unauthenticated: "forbidden",
  not_found: "forbidden",
  operator_only: "forbidden",
  bad_link: "forbidden",
  link_expired: "expired",
  unreachable: "offline",
  absent: "absent",
  purged: "purged",
  not_ready: "waiting",
  coming: "waiting",
};

/** Returns the state, of what is known and of what went wrong. */
export function situation(facts: Facts): PlayerState {
  const { recording } = facts;
  const problem = facts.playing ? null : facts.problem;
  if (!facts.wanted) return "empty";
  if (facts.linkOnly && facts.streaming) return "streaming";
  // What is known of a recording that cannot be played outweighs a request that failed.
  const known = recording && ofRecording(recording, facts.streaming);
  if (problem && (!known || isPlayable(known) || BY_CODE[problem.code] === "forbidden")) {
    if (problem.code === "needs_retry") return "failed";
    return BY_CODE[problem.code] ?? (problem.isRefusal ? "forbidden" : "broken");
  }
  if (known) return known;
  return facts.linkOnly ? "ready" : "loading";
}

/** Says whether something did not come only because it is on its way. */
export function isOnItsWay(problem: Problem): boolean {
  return BY_CODE[problem.code] === "waiting";
}

function ofRecording(recording: Recording, streaming: boolean): PlayerState {
  switch (recording.state) {
    case "announced":
      return "waiting";
    case "queued":
      return streaming ? "streaming" : "waiting";
    case "fetching":
      return streaming ? "streaming" : "downloading";
    case "ready":
      return recording.verified === false ? "unverified" : "ready";
    default:
      return recording.state;
  }
}

/** Says whether the transport can be used: play, seek, speed. */
export function isPlayable(state: PlayerState): boolean {
  return state === "ready" || state === "unverified" || state === "streaming";
}

/** Says whether pressing play brings sound as soon as there is some. */
export function comes(state: PlayerState, recording: Recording | null): boolean {
  return (state === "waiting" || state === "downloading") && recording?.state !== "announced";
}

export function actionFor(state: PlayerState, recording: Recording | null, mayAsk: boolean, keyRefused = false): Action {
  if (state === "failed") return mayAsk && !HOPELESS.has(recording?.reason ?? "") ? "retry" : null;
  if (state === "cancelled") return mayAsk ? "retry" : null;
  if (state === "forbidden") return keyRefused ? "again" : null;
  return state === "offline" || state === "broken" || state === "expired" ? "again" : null;
}
