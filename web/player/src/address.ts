/** Which server a player asks, and for which recording. */

const RECORDING = /^(.*)\/api\/recordings\/([^/?#]+)/;

export interface Given {
  recording: string | null;
  src: string | null;
  base: string | null;
}

/** Returns the server's address ("" for the page's own) and the recording's id. */
export function whereFrom(given: Given, script: string = import.meta.url): { base: string; id: string | null } {
  const found = given.src === null ? null : RECORDING.exec(given.src);
  const base = given.base ?? found?.[1] ?? servedFrom(script);
  return { base: base.replace(/\/+$/, ""), id: given.recording ?? found?.[2] ?? null };
}

/** callspool serves this file itself, as /player.js: then it is the server to ask. */
function servedFrom(script: string): string {
  const base = /^(https?:\/\/.*)\/player\.js(\?.*)?$/.exec(script)?.[1] ?? "";
  return base === globalThis.location?.origin ? "" : base;
}
