/**
 * Answers the player: asks the server for what it wants, one thing at a time, and finds out why a link failed.
 * Nothing is tried again by itself but one new link for one that has run out.
 */

import type { Client, Recording, State } from "../api/client.js";
import { Problem } from "../api/problem.js";

export interface Known {
  id: string;
  state: State;
  version: number;
}

export class Playback {
  source: string | null = null;
  problem: string | null = null;
  busy = false;

  #id: string | null = null;
  /** A link was renewed and no sound has come out of the new one yet. */
  #renewed = false;

  constructor(
    private readonly client: Pick<Client, "playback" | "inspect" | "hasten" | "retry" | "cancel">,
    private readonly changed: () => void,
    /** Told what an answer says of a recording, before its event arrives. */
    private readonly learned: (known: Known | Recording) => void,
  ) {}

  /** Turns to a recording. */
  select(id: string | null): void {
    if (this.#id === id) return;
    this.#id = id;
    this.source = this.problem = null;
    this.busy = this.#renewed = false;
    this.changed();
  }

  /** A person wants to listen and there is no link, or none that works. */
  link(): Promise<void> {
    this.#renewed = false;
    return this.#once((id) => this.#newLink(id));
  }

  /** The browser could not use the link. */
  failed(): Promise<void> {
    return this.#once(async (id) => {
      const url = this.source;
      if (url === null) return;
      const sound = await this.client.inspect(url);
      if (this.#id !== id) return;
      if (sound.kind === "link_void" && !this.#renewed) {
        this.#renewed = true;
        await this.#newLink(id);
      } else if (sound.kind === "link_void") {
        this.problem = "The server does not accept its own link. Check the clocks of its machines, then try again.";
      } else if (sound.kind === "not_audio") {
        this.problem = `The server sent something that is not audio (${sound.type}). A proxy may stand in between.`;
      } else {
        this.problem = `The browser could not play what it got (${sound.type}). Try again, or use another browser.`;
      }
    });
  }

  /** Sound came out of the link: when it runs out it may be renewed again. */
  played(): void {
    this.#renewed = false;
  }

  hasten(): Promise<void> {
    return this.#once(async (id) => this.learned(await this.client.hasten(id)));
  }

  retry(): Promise<void> {
    return this.#once(async (id) => this.learned(await this.client.retry(id)));
  }

  cancel(): Promise<void> {
    return this.#once(async (id) => this.learned(await this.client.cancel(id)));
  }

  async #newLink(id: string): Promise<void> {
    // Two links of one second are the same text: the player shall see that this is another try.
    this.source = null;
    this.changed();
    const playback = await this.client.playback(id);
    if (this.#id === id) this.source = playback.url;
  }

  /** Does one thing for the recording turned to, unless one is being done already. */
  async #once(work: (id: string) => Promise<void>): Promise<void> {
    const id = this.#id;
    if (id === null || this.busy) return;
    this.busy = true;
    this.problem = null;
    this.changed();
    try {
      await work(id);
    } catch (error) {
      if (this.#id === id) this.problem = Problem.from(error).sentence;
    } finally {
      if (this.#id === id) {
        this.busy = false;
        this.changed();
      }
    }
  }
}
