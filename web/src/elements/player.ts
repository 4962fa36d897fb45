/**
 * Plays one recording, or says why it cannot be played. It has no network and no clock of its own: what it
 * needs it asks for by events, once a click, and whoever holds it answers by setting properties.
 *
 * - `link-wanted`     a link is needed: answer with `source`, or with `problem`
 * - `source-failed`   the browser could not use `source`: answer with another one, or with `problem`
 * - `source-played`   sound came out of `source`
 * - `retry-wanted`, `cancel-wanted`
 */

import { LitElement, type PropertyValues, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { ifDefined } from "lit/directives/if-defined.js";
import type { Recording } from "../api/client.js";
import { playerStyle } from "./player-style.js";
import { theme } from "./theme.js";
import { STATE_WORDS, duration, explain, spokenDuration } from "./words.js";

const STEP_S = 5;
const LEAP_S = 30;
const PLAY = html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M7 4.5v15l13-7.5z" /></svg>`;
const PAUSE = html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 4.5h4.2v15H6zM13.8 4.5H18v15h-4.2z" /></svg>`;

@customElement("callspool-player")
export class Player extends LitElement {
  static override styles = [theme, playerStyle];

  @property({ attribute: false }) recording: Recording | null = null;
  /** A link that plays without a key. A new one goes on where the old one stopped. */
  @property({ attribute: false }) source: string | null = null;
  /** Why the last thing asked for did not come. */
  @property({ attribute: false }) problem: string | null = null;
  /** An answer is on its way: nothing more is asked for. */
  @property({ type: Boolean }) busy = false;

  @state() private position = 0;
  @state() private playing = false;
  @state() private loading = false;
  @state() private unplayable: string | null = null;
  @state() private note: string | null = null;

  @query("audio") private audio!: HTMLAudioElement | null;
  @query("input") private slider!: HTMLInputElement | null;

  /** The listener pressed play: sound begins as soon as there is a link. */
  #intends = false;
  #length: number | null = null;

  /** Plays from where it stands; does nothing unless the recording is ready. */
  play(): void {
    const recording = this.recording;
    if (recording?.state !== "ready" || this.busy || !this.audio) return;
    if (recording.content_type && this.audio.canPlayType(recording.content_type) === "") {
      this.unplayable = `This browser cannot play ${recording.content_type}. Open the page in another browser.`;
      return;
    }
    this.#intends = true;
    if (this.source === null || this.problem !== null) this.#ask("link-wanted");
    else this.#start();
  }

  pause(): void {
    this.#intends = false;
    this.audio?.pause();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get("recording");
    if (changed.has("recording") && before?.id !== this.recording?.id) this.#forget();
  }

  protected override updated(changed: PropertyValues<this>): void {
    this.slider?.style.setProperty("--played", `${(100 * this.position) / Math.max(this.#seconds(), 0.1)}%`);
    if (changed.has("problem") && this.problem !== null) this.#intends = false;
    if (!changed.has("source") || !this.audio) return;
    if (this.source === null) {
      this.audio.load(); // lets go of the connection
      return;
    }
    // Before anything is loaded this is where playback will begin.
    if (this.position > 0) this.audio.currentTime = this.position;
    if (this.#intends) this.#start();
  }

  #forget() {
    this.#intends = false;
    this.#length = null;
    this.position = 0;
    this.playing = this.loading = false;
    this.unplayable = this.note = null;
  }

  #ask(name: "link-wanted" | "retry-wanted" | "cancel-wanted") {
    if (!this.busy && this.recording) this.dispatchEvent(new CustomEvent<string>(name, { detail: this.recording.id }));
  }

  #start() {
    this.loading = true;
    this.audio?.play().catch((error: unknown) => {
      this.loading = false;
      // A source that is no good is told by its own event; here the browser only wants another click.
      if (error instanceof DOMException && error.name === "NotAllowedError") this.#intends = false;
    });
  }

  #seconds(): number {
    return this.#length ?? this.recording?.duration_s ?? 0;
  }

  #seek(to: number) {
    this.position = Math.min(Math.max(to, 0), this.#seconds());
    if (this.audio && this.source !== null) this.audio.currentTime = this.position;
  }

  #onKey(event: KeyboardEvent) {
    const steps: Record<string, number> = {
      ArrowLeft: -STEP_S,
      ArrowDown: -STEP_S,
      ArrowRight: STEP_S,
      ArrowUp: STEP_S,
      PageDown: -LEAP_S,
      PageUp: LEAP_S,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.#seek(this.position + step);
  }

  #onMetadata() {
    const length = this.audio?.duration ?? Number.NaN;
    const known = this.recording?.duration_s ?? null;
    if (!Number.isFinite(length)) return;
    this.#length = length;
    const lacks = known !== null && known - length > Math.max(2, known * 0.1);
    this.note = lacks
      ? `What arrived lasts ${duration(length)} of ${duration(known)}: the rest is missing.`
      : null;
  }

  #onTime() {
    // A source that breaks goes back to 0 by itself; the listener's position stays.
    if (this.audio && !this.audio.error && this.audio.readyState > 0) this.position = this.audio.currentTime;
  }

  #onPlaying() {
    this.playing = true;
    this.loading = false;
    this.dispatchEvent(new CustomEvent("source-played"));
  }

  #onError() {
    const error = this.audio?.error;
    if (!error || error.code === MediaError.MEDIA_ERR_ABORTED || this.source === null) return;
    this.playing = this.loading = false;
    this.dispatchEvent(new CustomEvent<string>("source-failed", { detail: this.recording?.id ?? "" }));
  }

  #onEnded() {
    this.#intends = this.playing = false;
  }

  protected override render() {
    const recording = this.recording;
    if (!recording) return nothing;
    return html`
      <div class="box" role="group" aria-label="Player">
        ${recording.state === "ready" ? this.#controls() : this.#status(recording)} ${this.#problem()}
        ${this.note ? html`<p class="note" role="status">${this.note}</p>` : nothing}
      </div>
      ${
        recording.state === "ready"
          ? html`<audio
              preload="none"
              src=${ifDefined(this.source ?? undefined)}
              @loadedmetadata=${this.#onMetadata}
              @timeupdate=${this.#onTime}
              @playing=${this.#onPlaying}
              @waiting=${() => (this.loading = true)}
              @pause=${() => (this.playing = this.loading = false)}
              @ended=${this.#onEnded}
              @error=${this.#onError}
            ></audio>`
          : nothing
      }
    `;
  }

  #controls() {
    const seconds = this.#seconds();
    const waits = this.busy || this.loading;
    return html`
      <div class="row">
        <button
          class="toggle"
          aria-label=${this.playing ? "Pause" : "Play"}
          aria-busy=${waits ? "true" : "false"}
          @click=${() => (this.playing ? this.pause() : this.play())}
        >
          ${this.playing ? PAUSE : PLAY}
        </button>
        <span class="time">${duration(this.position)}</span>
        <input
          type="range"
          aria-label="Position"
          min="0"
          max=${seconds}
          step="0.1"
          .value=${String(this.position)}
          aria-valuetext="${spokenDuration(this.position)} of ${spokenDuration(seconds)}"
          @input=${(event: Event) => this.#seek((event.target as HTMLInputElement).valueAsNumber)}
          @keydown=${this.#onKey}
        />
        <span class="time end">${duration(seconds)}</span>
      </div>
    `;
  }

  #status(recording: Recording) {
    const { state } = recording;
    const mayRetry = state === "failed" || state === "cancelled";
    const mayCancel = state === "announced" || state === "queued" || state === "fetching";
    return html`
      <div class="row wraps">
        <p class="text" role=${state === "failed" ? "alert" : "status"}>
          <strong>${STATE_WORDS[state]}</strong>
          <span>${explain(recording)}</span>
        </p>
        ${
          mayRetry
            ? html`<button class="button primary" ?disabled=${this.busy} @click=${() => this.#ask("retry-wanted")}>
                Retry
              </button>`
            : nothing
        }
        ${
          mayCancel
            ? html`<button class="button quiet" ?disabled=${this.busy} @click=${() => this.#ask("cancel-wanted")}>
                Stop fetching
              </button>`
            : nothing
        }
      </div>
      ${state === "fetching" ? html`<div class="flow" aria-hidden="true"></div>` : nothing}
    `;
  }

  #problem() {
    const text = this.unplayable ?? this.problem;
    if (text === null) return nothing;
    const mayAgain = this.problem !== null && this.recording?.state === "ready";
    return html`
      <p class="problem" role="alert">
        <span>${text}</span>
        ${
          mayAgain
            ? html`<button class="button quiet" ?disabled=${this.busy} @click=${this.play}>Try again</button>`
            : nothing
        }
      </p>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-player": Player;
  }
}
