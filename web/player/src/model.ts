/**
 * All that a player knows and does, without its looks: a recording, its sound, its channels, the loop. It belongs to
 * one element, which draws it and passes on what a person does.
 */

import { Client, type Sound as Heard } from "../../src/api/client.js";
import { Problem } from "../../src/api/problem.js";
import type { Runtime } from "../../src/api/runtime.js";
import type { Connected } from "../../src/api/shared-feed.js";
import { type Loop, addressOf, jump, nextLoop, placeIn } from "./course.js";
import { Link } from "./link.js";
import { type Lane, Mixer, audible } from "./mixer.js";
import { type Peaks, type Span, commonSilences } from "./peaks.js";
import { type Facts, type PlayerState, comes, isOnItsWay, isPlayable, situation } from "./situation.js";
import { Sound, type SoundHost, type Source } from "./sound.js";
import { Track } from "./track.js";

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3] as const;

/** Problems after which the recording itself is to be read again: it is not what it was. */
const MOVED_ON: ReadonlySet<string> = new Set(["absent", "purged", "needs_retry", "not_ready", "conflict"]);

/** Returns the id of the recording that a link plays; null: the link does not say. */
function recordingOf(link: string): string | null {
  return /\/recordings\/([^/]+)\/audio/.exec(link)?.[1] ?? null;
}

/** What the model needs of its element. */
export interface ModelHost {
  changed(): void;
  tell(name: string, detail?: unknown): void;
  makeAudio(): HTMLAudioElement;
  /** Returns a new link in place of one that ran out; null: none can be had. */
  freshLink(): Promise<string | null>;
}

export class Model implements SoundHost {
  readonly sound = new Sound(this);
  track: Track | null = null;
  /** A link beside a track; it is played first. */
  link: string | null = null;
  /** A link without a track. */
  bare: Link | null = null;
  lanes: readonly Lane[] = [];
  loop: Loop | null = null;
  skipsSilence = false;

  #mixer = new Mixer();
  #before: string | null = null;
  /** The recording that a place in the page's address may name. */
  #id: string | null = null;

  constructor(
    private readonly host: ModelHost,
    private readonly runtime: Runtime,
  ) {}

  /** Turns to a recording of a server; with a link too, that is played first. */
  follow(server: Connected, id: string, link: string | null): void {
    this.clear();
    this.link = link;
    this.track = new Track(id, server, this.runtime, () => this.#moved());
    this.#id = id;
    this.goTo(location.hash);
    this.track.start();
  }

  /** Turns to a link alone: nothing is known of its recording but what the link gives. */
  useLink(link: string): void {
    this.clear();
    this.#id = recordingOf(link);
    this.goTo(location.hash);
    this.bare = new Link(link, this.#client(), this.runtime, {
      changed: () => this.changed(),
      fresh: () => this.host.freshLink(),
      whole: () => this.sound.completed(),
      again: (goesOn) => (goesOn ? this.sound.play() : this.sound.pause()),
    });
    this.changed();
  }

  /** Takes another link to the same thing and goes on where the old one stopped. */
  replaceLink(link: string): void {
    if (this.bare) this.bare.replace(link);
    else this.link = link;
    this.sound.renewWith();
  }

  /** Whether a link can take the place of the one that is there: it is one to the same recording. */
  mayReplace(link: string): boolean {
    return this.link !== null || (this.bare !== null && recordingOf(link) === recordingOf(this.bare.url));
  }

  /** The page can give other links from now on: one that ran out is renewed, and stands where it stood. */
  mayRenew(): void {
    if (this.problem?.code === "link_expired") this.bare?.renew();
  }

  clear(): void {
    this.track?.stop();
    this.bare?.stop();
    this.track = this.bare = this.link = this.loop = this.#before = this.#id = null;
    this.lanes = [];
    this.#mixer.close();
    this.sound.reset();
  }

  get state(): PlayerState {
    return situation(this.#facts);
  }

  get problem(): Problem | null {
    return (this.track ?? this.bare)?.problem ?? null;
  }

  /** The server takes the key no more. */
  get isRefused(): boolean {
    return this.track !== null && this.state === "forbidden" && (this.problem?.isRefusal ?? false);
  }

  /** What went wrong and is not to be seen in the state: a retry that failed leaves the recording as it was. */
  get aside(): Problem | null {
    const { problem, state } = this;
    if (problem && isOnItsWay(problem)) return null;
    return problem && situation({ ...this.#facts, problem: null }) === state ? problem : null;
  }

  get peaks(): Peaks | null {
    return (this.track ?? this.bare)?.peaks ?? null;
  }

  get seconds(): number {
    const recording = this.track?.recording;
    const announced = recording?.announced_duration_s ?? null;
    if (this.sound.growing && announced !== null) return announced;
    return this.sound.length ?? recording?.duration_s ?? this.peaks?.seconds ?? announced ?? 0;
  }

  /** How much of it is here, from 0 to 1; null: not known. */
  get share(): number | null {
    const { received, expected } = this.track?.waiting ?? {};
    if (received != null && expected) return Math.min(0.99, received / expected);
    return this.sound.growing && this.seconds > 0 ? Math.min(0.99, this.sound.buffered / this.seconds) : null;
  }

  get silences(): readonly Span[] {
    if (!this.skipsSilence || !this.peaks) return [];
    const heard = audible(this.lanes);
    return commonSilences(this.peaks.silences.filter((_, channel) => heard[channel] ?? true));
  }

  // What a person does

  play(): void {
    const { state } = this;
    if (!isPlayable(state) && !comes(state, this.track?.recording ?? null) && this.problem === null) return;
    if (this.track) this.track.problem = null;
    this.bare?.wake();
    if (this.seconds > 0 && !this.sound.growing && this.sound.position >= this.seconds - 0.05) this.sound.seek(0);
    this.sound.play();
    this.#mix();
  }

  pause(): void {
    this.bare?.rest();
    this.sound.pause();
  }

  seek(to: number): void {
    const most = this.seconds > 0 ? this.seconds : Number.MAX_VALUE;
    this.sound.seek(Math.min(Math.max(0, to), most));
  }

  setRate(rate: number): void {
    this.sound.rate = Math.min(Math.max(rate, SPEEDS[0]), SPEEDS[SPEEDS.length - 1] ?? 3);
    this.host.tell("ratechange", { rate: this.sound.rate });
    this.changed();
  }

  /** Goes to the next speed up or down. */
  stepRate(step: 1 | -1): void {
    const next = step > 0 ? SPEEDS.find((one) => one > this.sound.rate) : SPEEDS.findLast((one) => one < this.sound.rate);
    if (next !== undefined) this.setRate(next);
  }

  pressLoop(): void {
    this.loop = nextLoop(this.loop, this.sound.position);
    this.changed();
  }

  toggleSkip(): void {
    this.skipsSilence = !this.skipsSilence;
    this.changed();
  }

  setLane(index: number, change: Partial<Lane>): void {
    this.lanes = this.lanes.map((lane, at) => (at === index ? { ...lane, ...change } : lane));
    this.#mix();
    this.changed();
  }

  async again(): Promise<void> {
    if (this.track) await this.track.read();
    if (this.track === null || isPlayable(this.state)) this.play();
  }

  /** The address that leads back to this moment. */
  address(page: string): string {
    return addressOf(page, this.track?.id ?? null, { position: this.sound.position, loop: this.loop });
  }

  /** Goes to the place that a page's fragment names, if it is one in this recording. */
  goTo(fragment: string): void {
    const place = placeIn(fragment, this.#id);
    if (!place) return;
    this.loop = place.loop;
    this.seek(place.position);
  }

  /** Returns a link to save the recording from: the server names the file. */
  async download(): Promise<string | null> {
    const { track } = this;
    const link = track ? ((await track.act((client) => client.playback(track.id)))?.url ?? null) : this.bare?.url;
    if (!link) return null;
    const url = new URL(link, location.href);
    url.searchParams.set("download", "1");
    return url.href;
  }

  /** Moves on round the loop or past a silence, if it is time to. */
  advance(): void {
    this.sound.read();
    const to = this.sound.playing ? jump(this.sound.position, this.loop, this.silences) : null;
    if (to !== null && to < Math.max(this.seconds, this.sound.position + 1)) this.sound.seek(to);
  }

  // What the sound asks for

  async source(isRenewal: boolean): Promise<Source | null> {
    const { track } = this;
    if (!track) return this.bare && this.#linkSource(this.bare, isRenewal);
    const { recording } = track;
    if (recording?.state !== "ready") {
      const url = await track.hasten();
      if (url === null) return null;
      return { url, growing: (track.recording?.state ?? "") !== "ready" };
    }
    const type = recording.content_type;
    if (type && this.sound.audio?.canPlayType(type) === "") {
      this.failed(new Problem("unplayable", type, 0));
      return null;
    }
    if (this.link && !isRenewal) return { url: this.link, growing: false };
    const url = await track.link();
    return url === null ? null : { url, growing: false };
  }

  inspect(url: string): Promise<Heard> {
    return (this.track?.client ?? this.bare ?? this.#client()).inspect(url);
  }

  make(): HTMLAudioElement {
    return this.host.makeAudio();
  }

  changed(): void {
    this.host.changed();
  }

  tell(what: "play" | "pause" | "ended" | "seek"): void {
    if (what === "play") {
      this.#mix();
      if (this.sound.growing) void this.bare?.watch();
    }
    this.host.tell(what, { position: this.sound.position, duration: this.seconds });
  }

  interrupted(): void {
    void this.bare?.interrupted();
  }

  failed(problem: Problem): boolean {
    const goesOn = this.bare?.fail(problem) ?? false;
    if (this.track) {
      if (MOVED_ON.has(problem.code)) void this.track.read();
      else this.track.fail(problem);
    }
    if (!goesOn) this.host.tell("error", { code: problem.code, message: problem.sentence });
    this.changed();
    return goesOn;
  }

  get #facts(): Facts {
    return {
      recording: this.track?.recording ?? null,
      waiting: this.track?.waiting ?? null,
      problem: this.problem,
      streaming: this.sound.growing && this.sound.heard,
      playing: this.sound.playing,
      linkOnly: this.track === null,
      wanted: this.track !== null || this.bare !== null,
    };
  }

  async #linkSource(bare: Link, isRenewal: boolean): Promise<Source | null> {
    if (!isRenewal) {
      const growing = await bare.prepare();
      return growing === null ? null : { url: bare.url, growing };
    }
    const before = bare.url;
    const url = await this.host.freshLink();
    if (this.bare !== bare) return null;
    if (bare.url !== before) return { url: bare.url, growing: false }; // the page gave one meanwhile
    if (url === null) this.failed(new Problem("link_expired", "The link has expired.", 403));
    else bare.url = url;
    return url === null ? null : { url, growing: false };
  }

  #client(): Client {
    return new Client(null, this.runtime);
  }

  #mix(): void {
    const { audio } = this.sound;
    // Only after a gesture: before it the browser would give a graph that is silent.
    if (audio && (navigator.userActivation?.hasBeenActive ?? true)) this.#mixer.apply(audio, this.lanes);
  }

  #moved(): void {
    const recording = this.track?.recording;
    const channels = recording?.channels ?? 0;
    if (channels > 1 && this.lanes.length !== channels) {
      this.lanes = Array.from({ length: channels }, () => ({ muted: false, solo: false }));
    }
    if (recording && recording.state !== this.#before) {
      this.#before = recording.state;
      if (recording.state === "ready") this.sound.completed();
      else if (recording.state === "fetching") this.sound.coming();
      else if (recording.state !== "queued" && recording.state !== "announced") this.sound.stop();
    }
    this.changed();
  }
}
