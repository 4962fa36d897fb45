/**
 * The audio element and what it plays: a link that is asked for when somebody presses play and not before, renewed
 * once when it ran out, the position kept. Before anything is loaded the position is where playing will begin.
 */

import type { Sound as Heard } from "../../src/api/client.js";
import { Problem } from "../../src/api/problem.js";

export interface Source {
  url: string;
  /** What it plays is not whole yet: no length, no ranges. */
  growing: boolean;
}

/** What the sound needs of who holds it. */
export interface SoundHost {
  /** Returns a link; null: none can be had now, and why has been told. */
  source(isRenewal: boolean): Promise<Source | null>;
  inspect(url: string): Promise<Heard>;
  make(): HTMLAudioElement;
  /** Something to be seen has changed. */
  changed(): void;
  /** Tells what the sound does: `play`, `pause`, `ended`, `seek`. */
  tell(what: "play" | "pause" | "ended" | "seek"): void;
  /** What came broke off, or ended before it was known to be whole. */
  interrupted(): void;
  /** Takes in what is wrong; returns whether the sound is asked for again by itself. */
  failed(problem: Problem): boolean;
}

export class Sound {
  position = 0;
  playing = false;
  /** Somebody pressed play and sound has not come yet. */
  loading = false;
  /** As the browser found it; null: not known. */
  length: number | null = null;
  /** The link is one to a download that runs. */
  growing = false;
  /** Sound has come out of the link. */
  heard = false;

  #host: SoundHost;
  #audio: HTMLAudioElement | null = null;
  #source: Source | null = null;
  #intends = false;
  #renewed = false;
  /** The link gave audio where the browser found none: it is tried once more. */
  #retried = false;
  #rate = 1;
  /** Goes up when another recording or link is taken: what was under way for the old one changes nothing. */
  #turn = 0;
  #asking = false;
  /** It began to come after the link was asked for: what the link says by now may be older than that. */
  #cameMeanwhile = false;

  constructor(host: SoundHost) {
    this.#host = host;
  }

  get audio(): HTMLAudioElement | null {
    return this.#audio;
  }

  get intends(): boolean {
    return this.#intends;
  }

  get rate(): number {
    return this.#rate;
  }

  set rate(rate: number) {
    this.#rate = rate;
    if (this.#audio) this.#audio.playbackRate = this.#audio.defaultPlaybackRate = rate;
  }

  /** Up to where it is loaded, in seconds. */
  get buffered(): number {
    const ranges = this.#audio?.buffered;
    return ranges?.length ? ranges.end(ranges.length - 1) : 0;
  }

  /** Plays, as soon as there is a link and sound. Call it in a gesture. */
  play(): void {
    this.#intends = true;
    this.#renewed = this.#retried = false; // whoever presses again may have another link by now
    if (this.#source) this.#start();
    else void this.#open(false);
  }

  pause(): void {
    this.#intends = this.loading = false;
    this.#audio?.pause();
    this.#host.changed();
  }

  seek(to: number): void {
    this.position = Math.max(0, to);
    const audio = this.#audio;
    if (audio && this.#source) {
      if (this.#source.growing && this.growing) this.position = Math.min(this.position, this.buffered);
      // What came as a stream has no ranges: a place that is not loaded needs the link again.
      if (this.#source.growing && !this.growing && this.position > this.buffered) this.#reload();
      else audio.currentTime = this.position;
    }
    this.#host.tell("seek");
    this.#host.changed();
  }

  /** Lets go of everything: another recording comes, or none. */
  reset(): void {
    this.#forgetAsked();
    this.#release();
    this.#audio?.remove();
    this.#audio = null;
    this.#intends = this.playing = this.loading = this.growing = false;
    this.#renewed = this.#retried = this.#cameMeanwhile = false;
    this.position = 0;
    this.length = null;
  }

  /** Stops for good: there is nothing to be heard any more. */
  stop(): void {
    this.#forgetAsked();
    this.#intends = this.loading = this.growing = this.#cameMeanwhile = false;
    this.#release();
    this.#host.changed();
  }

  /** Another link has come for the same thing: what played goes on from it. */
  renewWith(): void {
    const goesOn = this.playing || this.#intends;
    this.#forgetAsked();
    this.#release();
    this.#intends = goesOn;
    if (goesOn) void this.#open(false);
  }

  /** The recording is whole: what played as it came has an end now. */
  completed(): void {
    const waited = this.#intends && !this.#source;
    this.growing = false;
    if (waited) void this.#open(false);
  }

  /** The recording is on its way (again): who waits for its sound asks for it once. */
  coming(): void {
    if (!this.#intends) return;
    if (this.#source || this.#asking) this.#cameMeanwhile = true;
    else void this.#open(false);
  }

  /** What comes of a link that was asked for until now changes nothing. */
  #forgetAsked(): void {
    this.#turn += 1;
    this.#asking = false;
  }

  async #open(isRenewal: boolean): Promise<void> {
    if (this.#asking) return;
    const turn = this.#turn;
    this.#asking = true;
    this.loading = this.#intends; // who paused while the old link was looked at waits for nothing
    this.#element().load(); // Safari: an element that was touched in a gesture may play later
    this.#host.changed();
    const source = await this.#host.source(isRenewal);
    if (turn !== this.#turn) return;
    this.#asking = false;
    if (source) this.#use(source);
    else this.#intends = this.loading = false;
    this.#host.changed();
  }

  #use(source: Source): void {
    const audio = this.#element();
    this.#source = source;
    this.growing = source.growing;
    this.heard = false;
    audio.src = source.url;
    this.rate = this.#rate;
    if (source.growing) this.position = 0; // it is sent from its start
    else if (this.position > 0) audio.currentTime = this.position;
    if (this.#intends) this.#start();
  }

  #reload(): void {
    const source = this.#source;
    if (source) this.#use({ url: source.url, growing: false });
  }

  #start(): void {
    this.loading = true;
    this.#host.changed();
    this.#audio?.play().catch((error: unknown) => {
      // A source that is no good is told by its own event; here the browser only wants another click.
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      this.#intends = this.loading = false;
      this.#host.changed();
    });
  }

  #release(): void {
    this.#source = null;
    this.playing = this.heard = false;
    if (!this.#audio) return;
    this.#audio.removeAttribute("src");
    this.#audio.load(); // lets go of the connection
  }

  #element(): HTMLAudioElement {
    if (this.#audio) return this.#audio;
    const audio = this.#host.make();
    audio.preload = "none";
    // Always: a link of the page's own origin may lead on to an object storage, whose sound the mixer could not touch.
    audio.crossOrigin = "anonymous";
    audio.preservesPitch = true;
    const on = (name: string, act: () => void) => audio.addEventListener(name, () => audio === this.#audio && act());
    on("loadedmetadata", () => this.#onMetadata());
    on("durationchange", () => this.#onMetadata());
    on("timeupdate", () => this.#onTime());
    on("progress", () => this.#host.changed());
    on("playing", () => this.#onPlaying());
    on("waiting", () => this.#onWaiting());
    on("pause", () => this.#onPause());
    on("ended", () => this.#onEnded());
    on("error", () => void this.#onError());
    this.#audio = audio;
    return audio;
  }

  #onMetadata(): void {
    const length = this.#audio?.duration ?? Number.NaN;
    if (!Number.isFinite(length) || !this.#source) return;
    this.length = length;
    // Some browsers take no position before they know the length.
    if (this.#audio && !this.#source.growing && Math.abs(this.#audio.currentTime - this.position) > 0.5) {
      this.#audio.currentTime = Math.min(this.position, length);
    }
    this.#host.changed();
  }

  #onTime(): void {
    this.read();
    this.#host.changed();
  }

  /** Takes the position over from the element. One that breaks goes back to 0 by itself; ours stays. */
  read(): void {
    const audio = this.#audio;
    if (audio && this.#source && !audio.error && audio.readyState > 0 && !audio.seeking) this.position = audio.currentTime;
  }

  #onPlaying(): void {
    const began = !this.playing;
    this.playing = this.heard = true;
    this.loading = this.#renewed = this.#retried = this.#cameMeanwhile = false;
    if (began) this.#host.tell("play");
    this.#host.changed();
  }

  #onWaiting(): void {
    this.loading = this.#intends;
    this.#host.changed();
  }

  #onPause(): void {
    const was = this.playing;
    this.playing = this.loading = false;
    if (was) this.#host.tell("pause");
    this.#host.changed();
  }

  #onEnded(): void {
    if (this.growing) {
      this.#interrupted();
      return;
    }
    this.#intends = this.playing = this.loading = false;
    this.position = this.length ?? this.position;
    this.#host.tell("ended");
    this.#host.changed();
  }

  /** What came broke off before its end: the recording's next state says whether and when to ask again. */
  #interrupted(): void {
    this.growing = false;
    this.#release();
    this.loading = this.#intends;
    const again = this.#intends && this.#cameMeanwhile;
    this.#cameMeanwhile = false;
    if (again) void this.#open(false);
    else this.#host.interrupted();
    this.#host.changed();
  }

  async #onError(): Promise<void> {
    const audio = this.#audio;
    const source = this.#source;
    if (!audio?.error || audio.error.code === MediaError.MEDIA_ERR_ABORTED || !source) return;
    this.playing = false;
    if (source.growing) {
      this.#interrupted();
      return;
    }
    const turn = this.#turn;
    this.#release();
    const problem = await this.#host.inspect(source.url).then(
      (heard) => this.#verdict(heard),
      (error: unknown) => Problem.from(error),
    );
    if (turn !== this.#turn) return;
    if (problem === "renew" || problem === "retry") {
      void this.#open(problem === "renew");
      return;
    }
    this.#intends = this.loading = this.#host.failed(problem) && this.#intends;
    this.#host.changed();
  }

  /** Says what is wrong with a link that the browser could not use, or what is to be tried, once. */
  #verdict(heard: Heard): Problem | "renew" | "retry" {
    switch (heard.kind) {
      case "link_void":
        if (this.#renewed) return new Problem("link_expired", "The link has expired.", 403);
        this.#renewed = true;
        return "renew";
      case "coming":
        return new Problem("coming", "The recording is on its way.", 202, heard.retryAfterMs);
      case "not_audio":
        return new Problem("not_audio", heard.type, 200);
      case "audio":
        if (this.#retried) return new Problem("unplayable", heard.type, 200);
        this.#retried = true; // it may have come between the two requests
        return "retry";
    }
  }
}
