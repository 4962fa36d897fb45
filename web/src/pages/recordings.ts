/**
 * What the recordings page knows and does, without its looks: the list under its filters, the tenants, and what
 * the live events change of them. It tells its holder when something changed.
 */

import { RecordingBook } from "../api/book.js";
import type { Client, LiveEvent, Recording, RecordingFilter, RecordingPage, State, Tenant } from "../api/client.js";
import type { Cause, Listener } from "../api/feed.js";
import { Problem } from "../api/problem.js";
import type { Runtime } from "../api/runtime.js";

const PAGE = 50;
/** Rows a page may hold before it begins anew: a tab may stay open for weeks. */
const MOST_ROWS = 2_000;
/** What events alone cannot tell is asked for at most this often, and only after something happened. */
const SOON_MS = 1_500;

/** What an answer says of a recording before its event arrives. */
interface Known {
  id: string;
  state: State;
  version: number;
}

export class Recordings implements Partial<Listener> {
  tenants: readonly Tenant[] = [];
  loading = false;
  loaded = false;
  problem: Problem | null = null;
  selected: string | null = null;

  #book = new RecordingBook();
  #cursor: string | null = null;
  /** The last row of what was loaded: what is older comes with "load more" and not by an event. */
  #oldest: string | null = null;
  readonly #asked = new Set<string>();
  /** Goes up when the list begins anew: answers to older questions are dropped. */
  #generation = 0;

  constructor(
    private readonly client: Client,
    private readonly runtime: Runtime,
    private readonly changed: () => void,
    private readonly signal: AbortSignal,
    public state: State | null = null,
    private filter: RecordingFilter = {},
  ) {}

  /** Nothing but a state narrows the list: then an event alone says whether a recording belongs to it. */
  get isWhole(): boolean {
    return Object.keys(this.filter).length === 0;
  }

  get rows(): Recording[] {
    return this.#book.list((recording) => this.#isShown(recording));
  }

  get hasMore(): boolean {
    return this.#cursor !== null;
  }

  get current(): Recording | null {
    return this.selected === null ? null : (this.#book.get(this.selected) ?? null);
  }

  /** Shows only recordings of that state (null: all) that fit the filter. */
  async show(state: State | null, filter: RecordingFilter): Promise<void> {
    if (state === this.state && JSON.stringify(filter) === JSON.stringify(this.filter)) return;
    this.state = state;
    this.filter = filter;
    this.loaded = false;
    this.#forget();
    await this.#quietly(() => this.#first());
  }

  async more(): Promise<void> {
    if (!this.loading && this.#cursor !== null) await this.#quietly(() => this.#page(this.#cursor));
  }

  learn(known: Known | Recording): void {
    const old = this.#book.get(known.id);
    if ("tenant_id" in known) this.#book.put(known);
    else if (old) this.#book.put({ ...old, state: known.state, version: known.version, reason: null, sentence: null });
    this.changed();
  }

  event(event: LiveEvent): void {
    const { recording } = event;
    const isOlderThanLoaded = this.hasMore && this.#oldest !== null && recording.id < this.#oldest;
    const isKnown = this.#book.get(recording.id) !== undefined;
    if (isKnown || (this.isWhole && !isOlderThanLoaded)) this.#book.put(recording);
    else if (!this.isWhole) this.#listSoon();
    if (this.#book.size > MOST_ROWS) {
      this.#forget();
      void this.#quietly(() => this.#first());
    }
    this.#tenantsSoon();
    this.changed();
  }

  async refresh(cause: Cause): Promise<void> {
    if (cause === "restored") this.#forget();
    const { current } = this;
    await Promise.all([this.#first(), this.#readTenants()]);
    if (current && this.selected === current.id && current.id < (this.#oldest ?? "")) {
      this.#book.put(await this.client.recording(current.id, this.signal));
    }
    this.changed();
  }

  #isShown(recording: Recording): boolean {
    if (this.state !== null && recording.state !== this.state) return false;
    return !this.hasMore || this.#oldest === null || recording.id >= this.#oldest;
  }

  #forget(): void {
    this.#generation += 1;
    for (const { id } of this.#book.list(({ id }) => id !== this.selected)) this.#book.drop(id);
    this.#cursor = this.#oldest = null;
  }

  /** Reads the first page. Rows below it stay, unless so much happened that there is a gap between. */
  async #first(): Promise<void> {
    await this.#page(null);
  }

  async #page(cursor: string | null): Promise<void> {
    const generation = this.#generation;
    const before = this.#book.list(() => true);
    this.loading = true;
    this.changed();
    try {
      const states = this.state === null ? [] : [this.state];
      let page = await this.client.recordings({ ...this.filter, states, cursor, limit: PAGE }, this.signal);
      // The server looks through so many rows at a time: a page without any is not the end.
      while (page.recordings.length === 0 && page.next_cursor !== null && generation === this.#generation) {
        const on = { ...this.filter, states, cursor: page.next_cursor, limit: PAGE };
        page = await this.client.recordings(on, this.signal);
      }
      if (generation !== this.#generation) return;
      const isAnew = cursor === null && !(this.#oldest !== null && page.recordings.some(({ id }) => this.#book.get(id)));
      for (const recording of page.recordings) this.#book.put(recording);
      if (cursor === null) this.#dropMissing(before, page);
      if (cursor !== null || isAnew) {
        this.#cursor = page.next_cursor;
        this.#oldest = page.recordings.at(-1)?.id ?? this.#oldest;
      }
      this.loaded = true;
      this.problem = null;
    } finally {
      this.loading = false;
      this.changed();
    }
  }

  /** Forgets what the first page should have, were it still so, and what nothing was heard of since it was asked for. */
  #dropMissing(before: readonly Recording[], page: RecordingPage): void {
    const listed = new Set(page.recordings.map(({ id }) => id));
    const last = page.next_cursor === null ? "" : (page.recordings.at(-1)?.id ?? "");
    for (const old of before) {
      const isMissing = old.id >= last && !listed.has(old.id);
      if (isMissing && old.id !== this.selected && this.#book.get(old.id) === old) this.#book.drop(old.id);
    }
  }

  async #quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.signal.aborted) return;
      this.problem = Problem.from(error);
      this.changed();
    }
  }

  async #readTenants(): Promise<void> {
    this.tenants = await this.client.tenants(this.signal);
    this.changed();
  }

  #tenantsSoon(): void {
    this.#soon("tenants", () => this.#readTenants());
  }

  /** Only the server knows whether a recording that was heard of fits the filter. */
  #listSoon(): void {
    this.#soon("list", () => this.#first());
  }

  #soon(what: string, read: () => Promise<void>): void {
    if (this.#asked.has(what)) return;
    this.#asked.add(what);
    void this.runtime
      .wait(SOON_MS, this.signal)
      .then(() => {
        this.#asked.delete(what); // what happens while it is read is asked for again
        return read();
      })
      .catch(() => undefined); // the feed tells when the server is away
  }
}
