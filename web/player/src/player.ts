/**
 * `<callspool-player>`: plays one recording, or says why it cannot be played. It loads nothing before it comes into
 * view, and no audio before somebody presses play. docs/player.md describes it for those who embed it.
 */

import { LitElement, type PropertyValues, html, nothing } from "lit";
import { property, query, state } from "lit/decorators.js";
import { Client } from "../../src/api/client.js";
import { Problem } from "../../src/api/problem.js";
import { browserRuntime } from "../../src/api/runtime.js";
import { type Connected, SharedFeed, connect } from "../../src/api/shared-feed.js";
import { whereFrom } from "./address.js";
import { Announcer } from "./announcer.js";
import { colours } from "./colours.js";
import { KeptFocus } from "./kept-focus.js";
import { commandOf } from "./keys.js";
import { audible } from "./mixer.js";
import { Model, type ModelHost } from "./model.js";
import { OtherKey } from "./other-key.js";
import { perform } from "./perform.js";
import { Scrub } from "./scrub.js";
import { type PlayerState, comes, isPlayable } from "./situation.js";
import { style } from "./style.js";
import { type Actions, type View, body } from "./view.js";
import { inView } from "./visibility.js";
import { type WaveView, WaveCanvas } from "./wave.js";
import { Words, clock } from "./words.js";

export type GetToken = () => string | null | Promise<string | null>;
export type GetAudioUrl = () => string | null | Promise<string | null>;

/** So long a page may take to give another link. */
const LINK_MS = 30_000;

export class Player extends LitElement implements ModelHost {
  static override styles = [...colours, style];

  /** The recording's id: `rec_…`. */
  @property() recording: string | null = null;
  /** Instead of `recording` and `base`: the recording's address, `https://…/api/recordings/rec_…`. */
  @property() src: string | null = null;
  /** Where callspool is: `https://calls.example.com`. Else where this file came from. */
  @property() base: string | null = null;
  @property() token: string | null = null;
  @property({ attribute: false }) getToken: GetToken | null = null;
  /** A signed link that plays without a key. */
  @property({ attribute: "audio-url" }) audioUrl: string | null = null;
  /** Asked for another link when that one has run out. */
  @property({ attribute: false }) getAudioUrl: GetAudioUrl | null = null;
  /** A connection that the page has already, in place of base and token. */
  @property({ attribute: false }) server: Connected | null = null;
  @property() override lang = "";
  @property({ reflect: true }) theme: "light" | "dark" | null = null;
  /** What the channels are called, with commas: `Agent, Customer`. */
  @property() channels: string | null = null;
  @property({ type: Boolean, attribute: "no-download" }) noDownload = false;
  /** Offers to stop a fetch. */
  @property({ type: Boolean }) cancellable = false;

  @state() private note: string | null = null;
  @query("canvas") private canvas!: HTMLCanvasElement | null;

  #model = new Model(this, browserRuntime);
  #words = new Words("en");
  #wave: WaveView | null = null;
  #scrub = new Scrub(() => this.#model.seconds, (to) => this.seek(to), () => this.requestUpdate());
  #connection: AbortController | null = null;
  #otherKey = new OtherKey(browserRuntime);
  #freshLink: Promise<string | null> | null = null;
  #resized = new ResizeObserver(() => this.#draw());
  #announcer = new Announcer();
  #tick = 0;
  #toldAt = -1;
  /** Play was called before anything was known of the recording. */
  #playsOnceKnown = false;

  constructor() {
    super();
    new KeptFocus(this);
  }

  /** One of the states in docs/player.md. */
  get state(): PlayerState {
    return this.#model.state;
  }

  get currentTime(): number {
    return this.#model.sound.position;
  }

  set currentTime(seconds: number) {
    this.seek(seconds);
  }

  get duration(): number {
    return this.#model.seconds;
  }

  get paused(): boolean {
    return !this.#model.sound.playing;
  }

  get playbackRate(): number {
    return this.#model.sound.rate;
  }

  set playbackRate(rate: number) {
    this.#model.setRate(rate);
  }

  /** Plays, or plays as soon as it has come. Call it where a person pressed something. */
  play(): void {
    this.#playsOnceKnown = this.state === "loading" || this.state === "empty";
    this.#model.play();
  }

  pause(): void {
    this.#playsOnceKnown = false;
    this.#model.pause();
  }

  seek(seconds: number): void {
    this.#model.seek(seconds);
  }

  /** Starts again what failed or was stopped. */
  async retry(): Promise<void> {
    await this.#model.track?.retry();
  }

  override focus(options?: FocusOptions): void {
    this.renderRoot.querySelector<HTMLElement>("button, .slider")?.focus(options);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.#connection) this.#begin();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    // A page that sorts a list takes its elements out and puts them in elsewhere in one go: then it plays on.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#playsOnceKnown = false;
      this.#end();
    });
  }

  // ModelHost

  changed(): void {
    this.requestUpdate();
    this.#run();
  }

  tell(name: string, detail: unknown = null): void {
    this.dispatchEvent(new CustomEvent(`callspool-${name}`, { detail, bubbles: true, composed: true }));
  }

  makeAudio(): HTMLAudioElement {
    const audio = document.createElement("audio");
    this.renderRoot.append(audio);
    return audio;
  }

  /** Whoever needs another link while one is being asked for gets the same. */
  freshLink(): Promise<string | null> {
    if (this.#freshLink) return this.#freshLink;
    const asked = this.#askForLink().finally(() => {
      if (this.#freshLink === asked) this.#freshLink = null;
    });
    this.#freshLink = asked;
    return asked;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const names = ["recording", "src", "base", "server"] as const;
    const isOther = names.some((name) => changed.has(name) && this.hasUpdated);
    if (isOther) this.#begin();
    else if (changed.has("token") && this.hasUpdated) this.#resume();
    else if (changed.has("audioUrl") && this.hasUpdated) this.#newLink();
    // Only where there was none: a page that makes the function anew each time it draws would ask without end.
    else if (changed.has("getAudioUrl") && !changed.get("getAudioUrl") && this.hasUpdated) this.#model.mayRenew();
    if (this.#model.isRefused) void this.#lookForKey();
    this.#words = new Words(this.lang || this.#inheritedLanguage());
    const view = this.#view();
    if (this.#announcer.hear(view)) this.#stateChanged(view.state);
  }

  protected override updated(): void {
    if (this.canvas && !this.#wave) {
      this.#wave = new WaveCanvas(this.canvas);
      this.#resized.observe(this.canvas);
    } else if (!this.canvas && this.#wave) {
      this.#wave = null;
      this.#resized.disconnect();
      this.#scrub.drop();
    }
    this.#wave?.restyle();
    this.#draw();
    const hint = this.renderRoot.querySelector<HTMLElement>(".hint");
    if (hint && this.#scrub.share !== null) hint.style.setProperty("left", `${100 * this.#scrub.share}%`);
  }

  protected override render() {
    const view = this.#view();
    if (view.state === "empty") return nothing;
    const { words } = view;
    return html`
      <div
        class="player"
        part="player"
        role="group"
        aria-label=${words.say("player")}
        lang=${words.lang}
        dir=${words.dir}
        data-state=${view.state}
        @keydown=${this.#onKey}
      >
        ${body(view, this.#timeline(view))}
        <span class="visually-hidden" role="status">${this.#announcer.text}</span>
      </div>
    `;
  }

  #timeline({ model, words }: View) {
    const { seconds } = model;
    const position = this.#scrub.position ?? model.sound.position;
    const at = { position: words.spoken(position), total: words.spoken(seconds) };
    return html`
      <div class="timeline" dir="ltr" data-lanes=${Math.max(1, model.lanes.length)}>
        <canvas aria-hidden="true"></canvas>
        <div
          class="slider"
          role="slider"
          tabindex="0"
          aria-label=${words.say("position")}
          aria-orientation="horizontal"
          aria-valuemin="0"
          aria-valuemax=${Math.round(seconds)}
          aria-valuenow=${Math.round(position)}
          aria-valuetext=${words.say("ofTotal", at)}
          @pointerdown=${this.#scrub.down}
          @pointermove=${this.#scrub.move}
          @pointerup=${this.#scrub.up}
          @pointercancel=${this.#scrub.cancel}
          @pointerleave=${this.#scrub.leave}
        ></div>
        ${
          this.#scrub.pointed === null
            ? nothing
            : html`<span class="hint" aria-hidden="true">${clock(this.#scrub.pointed, seconds)}</span>`
        }
      </div>
    `;
  }

  #view(): View {
    const words = this.#words;
    const given = this.channels?.split(",").map((name) => name.trim()) ?? [];
    return {
      model: this.#model,
      state: this.#model.state,
      words,
      actions: this.#actions,
      laneNames: [given[0] || words.say("agent"), given[1] || words.say("customer"), ...given.slice(2)],
      mayDownload: !this.noDownload,
      mayCancel: this.cancellable,
      renews: this.#model.track !== null || Boolean(this.getAudioUrl),
      note: this.note,
    };
  }

  readonly #actions: Actions = {
    toggle: () => (this.#model.sound.playing || this.#model.sound.intends ? this.pause() : this.play()),
    skipBy: (seconds) => this.seek(this.currentTime + seconds),
    rate: (rate) => this.#model.setRate(rate),
    skipSilence: () => this.#model.toggleSkip(),
    loop: () => this.#model.pressLoop(),
    share: () => void this.#share(),
    download: () => void this.#download(),
    mute: (lane) => this.#model.setLane(lane, { muted: !this.#model.lanes[lane]?.muted }),
    solo: (lane) => this.#model.setLane(lane, { solo: !this.#model.lanes[lane]?.solo }),
    retry: () => void this.retry(),
    again: () => (this.#model.isRefused ? this.#askAgain() : void this.#model.again()),
    cancel: () => void this.#model.track?.cancel(),
  };

  /** Begins anew, at that place; *again*: also where the key was refused. */
  #begin(at = 0, again = false): void {
    this.#end();
    const { base, id } = whereFrom(this);
    if (!this.isConnected || (id === null && !this.audioUrl)) return;
    const connection = new AbortController();
    this.#connection = connection;
    inView(this, connection.signal, () => void this.#connect(base, id, connection.signal, at, again));
    addEventListener("hashchange", () => this.#model.goTo(location.hash), { signal: connection.signal });
    const look = () => this.requestUpdate();
    for (const media of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(media).addEventListener("change", look, { signal: connection.signal });
    }
  }

  async #connect(base: string, id: string | null, signal: AbortSignal, at: number, again: boolean): Promise<void> {
    // A page that takes back what it gave may leave undefined.
    const key = this.getToken ?? this.token ?? null;
    const hasKey = key !== null || Boolean(this.server);
    if (this.audioUrl && (!hasKey || id === null)) {
      this.#model.useLink(this.audioUrl);
      if (at > 0) this.#model.sound.position = at;
      return;
    }
    if (id === null) return;
    this.#otherKey.used(this.getToken);
    try {
      const server = this.server ?? (await connect(base, key));
      if (signal.aborted) return;
      if (again) server.feed.again();
      this.#model.follow(server, id, this.audioUrl ?? null);
      if (at > 0) this.#model.sound.position = at;
    } catch {
      if (!signal.aborted) this.#refuse(base, id);
    }
  }

  /** The page gave no key: its own callback failed. */
  #refuse(base: string, id: string): void {
    const problem = new Problem("unauthenticated", "", 401);
    const feed = new SharedFeed(async (listener) => listener.connection("refused", problem));
    this.#model.follow({ client: new Client(null, browserRuntime, base), feed }, id, null);
    this.#model.failed(problem);
  }

  /** A person asks with the key as it is by now. */
  #askAgain(): void {
    this.#otherKey.forget();
    this.#resume(true);
  }

  /** Begins anew with the key as it is by now, where it stood: who listens or waits goes on. */
  #resume(again = false): void {
    const { position, intends } = this.#model.sound;
    this.#playsOnceKnown ||= intends;
    this.#begin(position, again);
  }

  /** The key was refused: begins anew when the page gives another one. */
  async #lookForKey(): Promise<void> {
    const signal = this.#connection?.signal;
    const refused = () => this.#model.track?.client.lastKey ?? null;
    if (!signal || !(await this.#otherKey.comes(() => this.getToken, refused, signal))) return;
    if (this.#model.isRefused) this.#resume();
  }

  async #askForLink(): Promise<string | null> {
    const limit = new AbortController();
    const late = browserRuntime.wait(LINK_MS, limit.signal).then(() => null, () => null);
    try {
      return await Promise.race([this.getAudioUrl?.() ?? null, late]);
    } catch {
      return null; // the page's own server may be away; whoever presses again asks again
    } finally {
      limit.abort();
    }
  }

  #newLink(): void {
    if (this.audioUrl && this.#model.mayReplace(this.audioUrl)) this.#model.replaceLink(this.audioUrl);
    else this.#begin();
  }

  #end(): void {
    this.#connection?.abort();
    this.#connection = this.#freshLink = null;
    this.#model.clear();
    cancelAnimationFrame(this.#tick);
    this.#tick = 0;
    this.#resized.disconnect();
    this.#wave = null;
    this.#announcer.forget();
    this.note = null;
  }

  #stateChanged(state: PlayerState): void {
    const recording = this.#model.track?.recording ?? null;
    if (recording && state !== "forbidden") this.#otherKey.forget();
    this.tell("state", { state, recording });
    if (!this.#playsOnceKnown || state === "loading" || state === "empty") return;
    this.#playsOnceKnown = false;
    if (isPlayable(state) || comes(state, recording)) this.#model.play();
  }

  /** While it plays, every frame: the place on the timeline, the loop, the silences. */
  #run(): void {
    this.#model.advance();
    this.#tellTime();
    if (this.#tick || !this.#model.sound.playing) return;
    const step = () => {
      this.#tick = 0;
      const second = Math.floor(this.currentTime);
      this.#model.advance();
      this.#draw();
      this.#tellTime();
      if (Math.floor(this.currentTime) !== second) this.requestUpdate();
      if (this.#model.sound.playing) this.#tick = requestAnimationFrame(step);
    };
    this.#tick = requestAnimationFrame(step);
  }

  /** At most four times a second. */
  #tellTime(): void {
    const quarter = Math.floor(this.currentTime * 4);
    if (quarter === this.#toldAt) return;
    this.#toldAt = quarter;
    this.tell("timeupdate", { position: this.currentTime, duration: this.duration });
  }

  #draw(): void {
    const model = this.#model;
    this.#wave?.draw({
      peaks: model.peaks,
      lanes: Math.max(1, model.lanes.length),
      heard: audible(model.lanes),
      seconds: model.seconds,
      position: this.#scrub.position ?? model.sound.position,
      loaded: model.sound.growing ? Math.max(model.sound.buffered, 0.01) : 0,
      loop: model.loop,
      skipped: model.silences,
    });
  }

  #onKey(event: KeyboardEvent): void {
    const command = commandOf(event, (this.renderRoot as ShadowRoot).activeElement);
    if (command === null || !isPlayable(this.state)) return;
    event.preventDefault();
    perform(command, this.#model, this.#actions);
  }

  #inheritedLanguage(): string {
    return this.closest<HTMLElement>("[lang]")?.lang || document.documentElement.lang || navigator.language;
  }

  async #share(): Promise<void> {
    const url = this.#model.address(location.href);
    const detail = { url, position: this.currentTime };
    const asked = new CustomEvent("callspool-share", { detail, bubbles: true, composed: true, cancelable: true });
    if (!this.dispatchEvent(asked)) return; // the page does it its own way
    try {
      await navigator.clipboard.writeText(url);
      this.#say(this.#words.say("shared"));
    } catch {
      this.#say(this.#words.say("notShared", { url }));
    }
  }

  #say(text: string): void {
    this.note = text;
    void browserRuntime.wait(4_000, this.#connection?.signal).then(() => (this.note = null), () => undefined);
  }

  async #download(): Promise<void> {
    const url = await this.#model.download();
    if (url === null) return;
    const anchor = document.createElement("a");
    anchor.href = url;
    anchor.download = "";
    // A browser saves only what is of the page's own origin; elsewhere it opens, and never in place of this page.
    if (new URL(url, location.href).origin !== location.origin) anchor.target = "_blank";
    anchor.rel = "noopener";
    anchor.click();
    this.tell("download", { position: this.currentTime });
  }
}
