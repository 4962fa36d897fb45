/**
 * A signed link alone: nothing tells when its recording moves on, so it is asked, a few times and ever more slowly
 * (S8). The waveform that the link allows to be seen says where the recording stands.
 */

import type { Client, Sound as Heard } from "../../src/api/client.js";
import { MOST_POLLS, backoff } from "../../src/api/feed.js";
import { Problem } from "../../src/api/problem.js";
import type { Runtime } from "../../src/api/runtime.js";
import { type Peaks, readPeaks } from "./peaks.js";

/** So long a press on play waits for the first answer about the waveform; making one may take longer than playing. */
const PATIENCE_MS = 1_000;
const NOT_READY: ReadonlySet<string> = new Set(["not_ready", "coming"]);

/** What a link needs of who plays it. */
export interface LinkHost {
  changed(): void;
  /** Returns another link to the same recording; null: there is none. */
  fresh(): Promise<string | null>;
  /** The recording is whole: its sound has an end. */
  whole(): void;
  /** It is time to ask for the sound again; `false`: it was asked for often enough. */
  again(goesOn: boolean): void;
}

export class Link {
  peaks: Peaks | null = null;
  problem: Problem | null = null;
  /** Another link is being asked for in place of one that ran out. */
  renewing = false;

  #coming: Problem | null = null;
  #polls = 0;
  #renewed = false;
  /** The page could give another link only later, and was asked for it then. */
  #renewedLate = false;
  /** How often the page put another link in place of one that gave no waveform. */
  #replaced = 0;
  #looks = 0;
  #first: Promise<unknown>;
  #stop = new AbortController();
  #pause = new AbortController();

  constructor(
    public url: string,
    private readonly client: Client,
    private readonly runtime: Runtime,
    private readonly host: LinkHost,
  ) {
    this.#first = this.look();
  }

  /** Its recording is on its way, as far as is known: until its waveform is there, whatever else happens. */
  get isComing(): boolean {
    return this.#coming !== null;
  }

  stop(): void {
    this.rest();
    this.#stop.abort();
  }

  /** Somebody wants to hear it: what went wrong before counts no more. */
  wake(): void {
    this.#polls = 0;
    this.#renewed = this.#renewedLate = false;
    this.problem = this.#coming;
  }

  /** The page gives another link. Without a waveform it is looked at, a few times where none of them is any good. */
  replace(url: string): void {
    this.url = url;
    this.wake();
    if (this.peaks !== null || this.#replaced >= MOST_POLLS) return;
    this.#replaced += 1;
    this.#first = this.look();
  }

  /** The page can give other links from now on: one is asked for, once until somebody presses play. */
  renew(): void {
    if (this.#renewedLate) return;
    this.#renewedLate = true;
    this.#renewed = false;
    this.#first = this.#renew().then((isOther) => (isOther ? this.look() : this.host.changed()));
  }

  /** Nobody waits for it any more. */
  rest(): void {
    this.#pause.abort();
    this.#pause = new AbortController();
  }

  /** Returns whether what it plays now is not whole yet; null: it cannot be played. */
  async prepare(): Promise<boolean | null> {
    if (this.isComing) await this.look();
    else await Promise.race([this.#first, this.runtime.wait(PATIENCE_MS, this.#stop.signal).catch(() => undefined)]);
    return this.problem === this.#coming ? this.isComing : null;
  }

  /** Says why its sound did not come. While it is on its way that costs no second request for the sound. */
  async inspect(url: string): Promise<Heard> {
    if (!this.isComing) return this.client.inspect(url);
    await this.look();
    if (this.#coming) return { kind: "coming", retryAfterMs: this.#coming.retryAfterMs ?? 0 };
    if (this.problem) throw this.problem;
    return { kind: "audio", type: "" };
  }

  /** Reads its waveform, and from that whether it is whole. */
  async look(): Promise<void> {
    const { signal } = this.#stop;
    const { url } = this;
    this.#looks += 1;
    const look = this.#looks;
    try {
      const peaks = readPeaks(await this.client.waveformOf(url, signal));
      this.peaks = peaks;
      this.problem = this.#coming = null;
      this.host.whole();
    } catch (error) {
      if (signal.aborted) return;
      // What is wrong with a link that is no more used says nothing of the one that took its place.
      if (url !== this.url) return look === this.#looks ? this.look() : undefined;
      const problem = Problem.from(error);
      if (problem.code === "link_expired" && (await this.#renew())) return this.look();
      if (NOT_READY.has(problem.code)) this.problem = this.#coming = problem;
      // Without a picture it may play all the same; what the link itself says is told.
      else if (problem.status !== 0 && problem.code !== "unexpected") this.#end(problem);
      else if (this.isComing) this.problem = problem;
    }
    this.host.changed();
  }

  /** It plays while it comes: looks a few times whether it is whole by now, so that it can be moved in. */
  async watch(): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, this.#pause.signal]);
    for (let look = 1; look <= MOST_POLLS && this.isComing; look += 1) {
      try {
        await this.runtime.wait(backoff(look, this.runtime.random(), this.#coming?.retryAfterMs ?? 0), signal);
      } catch {
        return;
      }
      await this.look();
    }
  }

  /** What came broke off, or ended before it was known to be whole. */
  async interrupted(): Promise<void> {
    await this.look();
    const isAway = this.problem?.code === "unreachable";
    if (this.isComing || isAway) this.#later(this.problem?.retryAfterMs ?? 0);
    else if (this.problem) this.host.again(false);
  }

  /** Takes in what went wrong with its sound; returns whether it is asked for again by itself. */
  fail(problem: Problem): boolean {
    if (!NOT_READY.has(problem.code)) {
      this.#end(problem);
      return false;
    }
    this.problem = this.#coming = problem;
    return this.#later(problem.retryAfterMs ?? 0);
  }

  /** A link may run out before it is first used: another one is asked for, once. */
  async #renew(): Promise<boolean> {
    if (this.#renewed) return false;
    this.#renewed = this.renewing = true;
    this.host.changed();
    const url = await this.host.fresh();
    this.renewing = false;
    if (url === null || this.#stop.signal.aborted) return false;
    this.url = url;
    return true;
  }

  #end(problem: Problem): void {
    this.#coming = null;
    this.problem = problem;
  }

  #later(atLeastMs: number): boolean {
    if (this.#polls >= MOST_POLLS) {
      this.host.again(false);
      return false;
    }
    this.#polls += 1;
    const signal = AbortSignal.any([this.#stop.signal, this.#pause.signal]);
    const delay = backoff(this.#polls, this.runtime.random(), atLeastMs);
    void this.runtime.wait(delay, signal).then(() => this.host.again(true), () => undefined);
    return true;
  }
}
