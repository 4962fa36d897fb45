/**
 * What the client needs of the world: network, time and chance. Tests give their own, so that no test waits.
 */

export interface Runtime {
  fetch(input: string, init?: RequestInit): Promise<Response>;
  /** Resolves after that time; rejects when the signal aborts. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
  /** A number from 0 up to, not including, 1. */
  random(): number;
  /** Milliseconds since 1970. */
  now(): number;
}

export const browserRuntime: Runtime = {
  fetch: (input, init) => fetch(input, init),
  wait: (ms, signal) =>
    new Promise((resolve, reject) => {
      const abort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", abort, { once: true });
    }),
  random: () => Math.random(),
  now: () => Date.now(),
};
