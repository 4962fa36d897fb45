/**
 * One stream of events for all that a page shows: whoever wants to hear them adds itself.
 */

import type { Client, LiveEvent } from "./client.js";
import { type Connection, type Listener, follow } from "./feed.js";
import type { Problem } from "./problem.js";
import type { Runtime } from "./runtime.js";

export class Live implements Listener {
  state: Connection = "connecting";
  problem: Problem | null = null;

  readonly #listeners = new Set<Partial<Listener>>();
  /** Something was read already: who comes later reads for itself. */
  #begun = false;

  /** Follows the events until the signal aborts or the key is refused. */
  run(client: Pick<Client, "events">, runtime: Runtime, signal: AbortSignal): Promise<void> {
    return follow(client, runtime, this, signal);
  }

  /** Adds a listener and returns what removes it. */
  add(listener: Partial<Listener>): () => void {
    this.#listeners.add(listener);
    if (this.#begun) void listener.refresh?.().catch(() => undefined);
    return () => this.#listeners.delete(listener);
  }

  event(event: LiveEvent): void {
    for (const listener of this.#listeners) listener.event?.(event);
  }

  async refresh(): Promise<void> {
    this.#begun = true;
    await Promise.all([...this.#listeners].map((listener) => listener.refresh?.()));
  }

  connection(state: Connection, problem: Problem | null): void {
    this.state = state;
    this.problem = problem;
    for (const listener of this.#listeners) listener.connection?.(state, problem);
  }
}
