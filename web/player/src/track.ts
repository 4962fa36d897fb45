/**
 * One recording as the server has it: read once, kept up to date by events, and acted on one thing at a time. It
 * starts no work by itself and polls only where the feed says so (S8).
 */

import type { Client, LiveEvent, Recording, Waiting } from "../../src/api/client.js";
import { type Cause, type Connection, type Listener, MOST_POLLS, backoff } from "../../src/api/feed.js";
import { Problem } from "../../src/api/problem.js";
import type { Runtime } from "../../src/api/runtime.js";
import type { Connected } from "../../src/api/shared-feed.js";
import { type Peaks, readPeaks } from "./peaks.js";
import { SETTLED } from "./situation.js";

/** Its place in line moves with other recordings' events: it is asked for again at most so often. */
const PLACE_MS = 5_000;
/** The feed says when to read, as soon as its stream is open. Where that takes longer nobody shall wait for it. */
const PATIENCE_MS = 300;
/** How much of a download is here is asked for so soon, then ever less often, and so many times at most. */
const FIRST_LOOK_MS = 1_000;
const LAST_LOOK_MS = 15_000;
const MOST_LOOKS = 30;
const SERVER_ERROR = 500;
const TOO_MANY = 429;

export class Track implements Listener {
  recording: Recording | null = null;
  waiting: Waiting | null = null;
  peaks: Peaks | null = null;
  problem: Problem | null = null;
  busy = false;
  connected: Connection = "connecting";

  #stop = new AbortController();
  #asked = false;
  #placeAsked = false;
  #measures = false;
  #comesBack = false;
  #peaksAsked = false;

  constructor(
    readonly id: string,
    private readonly server: Connected,
    private readonly runtime: Pick<Runtime, "wait" | "random">,
    private readonly changed: () => void,
  ) {}

  get client(): Client {
    return this.server.client;
  }

  start(): void {
    this.server.feed.listen(this, this.#stop.signal);
    void this.runtime
      .wait(PATIENCE_MS, this.#stop.signal)
      .then(() => (this.#asked || this.connected === "refused" ? undefined : this.read()))
      .catch(() => undefined);
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Reads the recording; what goes wrong is to be seen. */
  async read(): Promise<void> {
    this.problem = null;
    try {
      await this.#read();
    } catch (error) {
      this.#fail(error);
    }
  }

  event(event: LiveEvent): void {
    if (event.recording.id === this.id) this.#learn(event.recording);
    else if (this.recording?.state === "queued" && event.recording.tenant_id === this.recording.tenant_id) this.#placeSoon();
  }

  async refresh(cause: Cause): Promise<void> {
    const isSettled = this.recording !== null && SETTLED.has(this.recording.state);
    if (isSettled && (cause === "opened" || cause === "poll")) return;
    if (cause === "restored") this.recording = null;
    try {
      await this.#read();
    } catch (error) {
      this.#fail(error);
      // The feed is told of a server that is away, so that it waits longer; not of a recording that is not there.
      const { status } = Problem.from(error);
      if (cause === "poll" && (status === 0 || status === TOO_MANY || status >= SERVER_ERROR)) throw error;
    }
  }

  connection(state: Connection, problem: Problem | null): void {
    const isBack = state === "live" && (this.problem?.code === "unreachable" || this.problem?.isRefusal);
    this.connected = state;
    if (state === "refused") this.problem = problem;
    if (isBack) void this.read();
    this.changed();
  }

  /** Does one thing that a person asked for, unless one is under way. Returns null where it went wrong. */
  async act<T>(work: (client: Client) => Promise<T>): Promise<T | null> {
    if (this.busy) return null;
    this.busy = true;
    this.problem = null;
    this.changed();
    try {
      return await work(this.client);
    } catch (error) {
      this.#fail(error);
      return null;
    } finally {
      this.busy = false;
      if (!this.#stop.signal.aborted) this.changed();
    }
  }

  /** Asks for a link to its sound, whatever else is under way; null: what went wrong is to be seen. */
  async link(): Promise<string | null> {
    this.problem = null;
    try {
      return (await this.client.playback(this.id)).url;
    } catch (error) {
      this.#fail(error);
      return null;
    }
  }

  /** Starts again what failed or was stopped. */
  async retry(): Promise<void> {
    await this.act(async (client) => {
      const { state, version } = await client.retry(this.id);
      this.#moved(state, version);
    });
  }

  async cancel(): Promise<void> {
    const stopped = await this.act((client) => client.cancel(this.id));
    if (stopped) this.#learn(stopped);
  }

  /** Asks to hear it soon. Returns a link that plays what comes, or null. */
  hasten(): Promise<string | null> {
    return this.act(async (client) => {
      const { state, version, audio_url } = await client.hasten(this.id);
      this.#moved(state, version);
      return audio_url;
    });
  }

  fail(problem: Problem): void {
    this.problem = problem;
    if (problem.code === "unreachable" && this.connected === "live") void this.#comeBack();
    this.changed();
  }

  async #read(): Promise<void> {
    this.#asked = true;
    const recording = await this.client.recording(this.id, this.#stop.signal);
    if (this.problem?.code === "unreachable") this.problem = null;
    this.#learn(recording);
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.fail(Problem.from(error));
  }

  /** The stream says nothing of a request that did not get through while it was open: looks a few times itself. */
  async #comeBack(): Promise<void> {
    if (this.#comesBack) return;
    this.#comesBack = true;
    for (let look = 1; look <= MOST_POLLS && this.problem?.code === "unreachable"; look += 1) {
      try {
        await this.runtime.wait(backoff(look, this.runtime.random(), 0), this.#stop.signal);
        if (this.connected === "live" && this.problem?.code === "unreachable") await this.#read();
      } catch {
        if (this.#stop.signal.aborted) return;
      }
    }
    this.#comesBack = false;
  }

  /** Takes in what an answer says before its event comes. */
  #moved(state: Recording["state"], version: number): void {
    const { recording } = this;
    if (recording && recording.state !== state) this.#learn({ ...recording, state, version, reason: null, sentence: null });
  }

  /** An older state is never put over a newer one: answers and events come in any order. */
  #learn(recording: Recording): void {
    if (this.recording && this.recording.version > recording.version) return;
    const before = this.recording?.state;
    this.recording = recording;
    if (before !== recording.state) this.problem = null;
    if (recording.state === "queued") void this.#place();
    else if (recording.state === "fetching") void this.#measure();
    else this.waiting = null;
    if (recording.state === "ready") void this.#draw();
    this.changed();
  }

  #placeSoon(): void {
    if (this.#placeAsked) return;
    this.#placeAsked = true;
    void this.runtime
      .wait(PLACE_MS, this.#stop.signal)
      .then(() => {
        this.#placeAsked = false;
        if (this.recording?.state === "queued") return this.#place();
        return undefined;
      })
      .catch(() => undefined);
  }

  /** Looks how much of the download is here, beside the events and never in place of them. */
  async #measure(): Promise<void> {
    if (this.#measures) return;
    this.#measures = true;
    try {
      for (let look = 0; look < MOST_LOOKS; look += 1) {
        await this.runtime.wait(Math.min(FIRST_LOOK_MS * 1.5 ** look, LAST_LOOK_MS), this.#stop.signal);
        if (this.recording?.state !== "fetching") break;
        if (this.connected === "live" && !globalThis.document?.hidden) await this.#place();
      }
    } catch {
      // Nobody looks any more.
    }
    this.#measures = false;
  }

  async #place(): Promise<void> {
    try {
      const waiting = await this.client.why(this.id, this.#stop.signal);
      if (this.recording?.state === waiting.state) this.waiting = waiting;
      this.changed();
    } catch {
      // It waits all the same; its place is only said where it is known.
    }
  }

  async #draw(): Promise<void> {
    if (this.#peaksAsked) return;
    this.#peaksAsked = true;
    try {
      this.peaks = readPeaks(await this.client.waveform(this.id, this.#stop.signal));
      this.changed();
    } catch {
      // It plays without its picture.
    }
  }
}
