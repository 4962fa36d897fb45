/**
 * A page whose key was refused may have another one by now: the function that it gives then is asked for it. A page may
 * make that function anew each time it draws, so it is asked at once, then ever more rarely, however often it draws.
 */

import { backoff } from "../../src/api/feed.js";
import type { Runtime } from "../../src/api/runtime.js";
import type { GetToken } from "./player.js";

export class OtherKey {
  #asked: GetToken | null = null;
  #times = 0;
  /** For which connection it is being looked for. */
  #under: AbortSignal | null = null;

  constructor(private readonly runtime: Pick<Runtime, "wait" | "random">) {}

  /** The connection is made with what that function gives. */
  used(getToken: GetToken | null): void {
    this.#asked = getToken;
  }

  /** A key was good, or a person asks again: the next function is asked at once. */
  forget(): void {
    this.#times = 0;
  }

  /** Returns whether the page gives another key than the one that was refused, when it gives another function. */
  async comes(given: () => GetToken | null, refused: () => string | null, signal: AbortSignal): Promise<boolean> {
    if (this.#under === signal) return false;
    this.#under = signal;
    try {
      for (let next = given(); next && next !== this.#asked; next = given()) {
        if (this.#times > 0) await this.runtime.wait(backoff(this.#times, this.runtime.random(), 0), signal);
        this.#times += 1;
        this.#asked = given();
        const key = await answer(this.#asked);
        signal.throwIfAborted();
        if (key !== undefined && key !== refused()) return true;
      }
    } catch {
      // Another recording or another key came meanwhile, or nobody looks any more.
    } finally {
      if (this.#under === signal) this.#under = null;
    }
    return false;
  }
}

/** Returns the key; undefined: there is no answer, as when the page's own server is away. */
async function answer(getToken: GetToken | null): Promise<string | null | undefined> {
  try {
    return getToken ? ((await getToken()) ?? null) : undefined;
  } catch {
    return undefined;
  }
}
