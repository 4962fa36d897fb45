/**
 * What can go wrong between page and server, with a sentence for the person who sees it.
 */

export const MOST_RETRY_AFTER_MS = 300_000;

export class Problem extends Error {
  override readonly name = "Problem";

  constructor(
    /** The stable code of the API's table; `unreachable` and `unexpected` are the page's own. */
    readonly code: string,
    /** What was wrong and what to do. */
    readonly sentence: string,
    /** The HTTP status; 0 where no answer came. */
    readonly status: number,
    /** How long the server asked us to wait. */
    readonly retryAfterMs: number | null = null,
    /** Why the recording failed, where that is the cause. */
    readonly reason: string | null = null,
  ) {
    super(`${code}: ${sentence}`);
  }

  /** Says whether asking again with the same key is of no use. */
  get isRefusal(): boolean {
    return this.status === 401 || this.status === 403;
  }

  static async of(response: Response, now: number): Promise<Problem> {
    const retryAfterMs = readRetryAfter(response.headers.get("retry-after"), now);
    const type = response.headers.get("content-type") ?? "";
    if (type.startsWith("application/problem+json")) {
      const body = (await response.json().catch(() => null)) as Record<string, unknown> | null;
      if (typeof body?.["code"] === "string" && typeof body["detail"] === "string") {
        const reason = typeof body["reason"] === "string" ? body["reason"] : null;
        return new Problem(body["code"], body["detail"], response.status, retryAfterMs, reason);
      }
    }
    const sentence = `The server answered with status ${response.status} and did not say why. Try again.`;
    return new Problem("unexpected", sentence, response.status, retryAfterMs);
  }

  /** Returns `error` as a problem: whatever is not one means that no answer came. */
  static from(error: unknown): Problem {
    if (error instanceof Problem) return error;
    return new Problem("unreachable", "The server cannot be reached. Check the connection, then try again.", 0);
  }
}

/** Reads Retry-After (seconds or a date); absurd values are cut, wrong ones ignored. */
export function readRetryAfter(text: string | null, now: number): number | null {
  if (text === null || text.trim() === "") return null;
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), MOST_RETRY_AFTER_MS);
}
