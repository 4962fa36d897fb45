/**
 * The recordings a page knows, newest first. Lists, events and answers arrive in any order: an older state is
 * never put over a newer one.
 */

import type { Recording } from "./client.js";

export class RecordingBook {
  #byId = new Map<string, Recording>();

  /** Takes a recording in and returns what is known of it now. */
  put(recording: Recording): Recording {
    const known = this.#byId.get(recording.id);
    if (known && known.version > recording.version) return known;
    this.#byId.set(recording.id, recording);
    return recording;
  }

  get(id: string): Recording | undefined {
    return this.#byId.get(id);
  }

  get size(): number {
    return this.#byId.size;
  }

  /** Returns those that fit, newest first: ids begin with their time. */
  list(fits: (recording: Recording) => boolean): Recording[] {
    return [...this.#byId.values()].filter(fits).sort((a, b) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0));
  }

  drop(id: string): void {
    this.#byId.delete(id);
  }
}
