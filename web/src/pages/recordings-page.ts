/**
 * The page: puts elements and client together. It alone knows both.
 */

import { LitElement, html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { Client, type State } from "../api/client.js";
import { browserRuntime } from "../api/runtime.js";
import type { Player } from "../elements/player.js";
import "../elements/player.js";
import "../elements/recording-list.js";
import "../elements/sign-in.js";
import "../elements/tenant-strip.js";
import { theme } from "../elements/theme.js";
import { STATE_WORDS, dayAndTime, moment } from "../elements/words.js";
import { pageStyle } from "./page-style.js";
import { Playback } from "./playback.js";
import { Recordings } from "./recordings.js";
import { forgetKey, keepKey, storedKey, takeKeyFromAddress } from "./session.js";

const FILTERS: readonly (State | null)[] = [null, "ready", "fetching", "queued", "failed", "cancelled"];

const CONNECTION_WORDS = {
  connecting: "Connecting…",
  live: "Live",
  polling: "Reconnecting…",
  waiting: "Not connected: what you see may be old",
  refused: "Signed out",
} as const;

@customElement("callspool-recordings-page")
export class RecordingsPage extends LitElement {
  static override styles = [theme, pageStyle];

  @state() private recordings: Recordings | null = null;
  @state() private refusal: string | null = null;

  @query("callspool-player") private player!: Player | null;

  #playback: Playback | null = null;
  #session: AbortController | null = null;

  readonly #onAddress = () => {
    takeKeyFromAddress();
    this.#begin(storedKey());
  };

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("hashchange", this.#onAddress);
    this.#onAddress();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("hashchange", this.#onAddress);
    this.#end();
  }

  #begin(key: string | null): void {
    this.#end();
    if (key === null) return;
    this.refusal = null;
    const session = new AbortController();
    const client = new Client(key, browserRuntime);
    const recordings = new Recordings(client, browserRuntime, () => this.#changed(session), session.signal);
    this.#session = session;
    this.#playback = new Playback(client, () => this.#changed(session), (known) => recordings.learn(known));
    this.recordings = recordings;
    void recordings.run();
  }

  #end(): void {
    this.#session?.abort();
    this.#session = this.#playback = this.recordings = null;
  }

  #changed(session: AbortController): void {
    if (session.signal.aborted) return;
    if (this.recordings?.problem?.status === 401) {
      forgetKey();
      this.#end();
      this.refusal = "This key is not valid, or it was revoked. Paste another one.";
    }
    this.requestUpdate();
  }

  #signOut(): void {
    forgetKey();
    this.#end();
  }

  #signIn(event: CustomEvent<string>): void {
    keepKey(event.detail);
    this.#begin(event.detail);
  }

  async #open(event: CustomEvent<string>): Promise<void> {
    const { recordings } = this;
    if (!recordings) return;
    const isOther = recordings.selected !== event.detail;
    recordings.selected = event.detail;
    this.#playback?.select(event.detail);
    this.requestUpdate();
    await this.updateComplete;
    await this.player?.updateComplete;
    const opened = recordings.current;
    if (opened?.state === "ready") this.player?.play();
    else if (opened?.state === "queued" && isOther) void this.#playback?.hasten();
  }

  #close(): void {
    if (this.recordings) this.recordings.selected = null;
    this.#playback?.select(null);
    this.requestUpdate();
  }

  protected override render() {
    const { recordings } = this;
    if (!recordings) {
      return html`<callspool-sign-in .refusal=${this.refusal} @key-given=${this.#signIn}></callspool-sign-in>`;
    }
    const names = new Map(recordings.tenants.map((tenant) => [tenant.id, tenant.name]));
    return html`
      ${this.#header(recordings)}
      <main>
        ${
          recordings.tenants.length
            ? html`<callspool-tenant-strip .tenants=${recordings.tenants}></callspool-tenant-strip>`
            : nothing
        }
        <div class="bar">
          <h1>Recordings</h1>
          ${this.#filters(recordings)}
        </div>
        ${
          recordings.problem
            ? html`<p class="problem" role="alert">${recordings.problem.sentence}</p>`
            : nothing
        }
        <callspool-recording-list
          .recordings=${recordings.rows}
          .names=${names}
          .selected=${recordings.selected}
          .hasMore=${recordings.hasMore}
          .loading=${recordings.loading || !recordings.loaded}
          .emptyText=${this.#emptyText(recordings)}
          @recording-open=${this.#open}
          @more-wanted=${() => recordings.more()}
        ></callspool-recording-list>
      </main>
      ${this.#dock(recordings, names)}
    `;
  }

  #header(recordings: Recordings) {
    return html`
      <header>
        <a class="brand" href="/" aria-label="callspool">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M7 13v6M11.5 9v14M16 12v8M20.5 7v18M25 14v4" />
          </svg>
          callspool
        </a>
        <span class="connection" role="status" data-state=${recordings.connectionState}>
          <i aria-hidden="true"></i>${CONNECTION_WORDS[recordings.connectionState]}
        </span>
        <button class="button quiet" @click=${this.#signOut}>Sign out</button>
      </header>
    `;
  }

  #filters(recordings: Recordings) {
    const count = (filter: State) => recordings.tenants.reduce((sum, tenant) => sum + (tenant.states[filter] ?? 0), 0);
    return html`
      <div class="filters" role="group" aria-label="Show by state">
        ${FILTERS.map(
          (filter) => html`
            <button aria-pressed=${filter === recordings.filter ? "true" : "false"} @click=${() => recordings.show(filter)}>
              ${filter === null ? "All" : STATE_WORDS[filter]}
              ${filter !== null && count(filter) > 0 ? html`<small>${count(filter)}</small>` : nothing}
            </button>
          `,
        )}
      </div>
    `;
  }

  #dock(recordings: Recordings, names: ReadonlyMap<string, string>) {
    const { current } = recordings;
    const playback = this.#playback;
    if (!current || !playback) return nothing;
    return html`
      <section class="dock" aria-label="Selected recording">
        <div class="inside">
          <div class="title">
            <strong>${names.get(current.tenant_id) ?? current.tenant_id}</strong>
            <time datetime=${moment(current)}>${dayAndTime(moment(current))}</time>
            <button class="close" aria-label="Close the player" @click=${this.#close}>
              <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18" /></svg>
            </button>
          </div>
          <callspool-player
            .recording=${current}
            .source=${playback.source}
            .problem=${playback.problem}
            .busy=${playback.busy}
            @link-wanted=${() => playback.link()}
            @source-failed=${() => playback.failed()}
            @source-played=${() => playback.played()}
            @retry-wanted=${() => playback.retry()}
            @cancel-wanted=${() => playback.cancel()}
          ></callspool-player>
        </div>
      </section>
    `;
  }

  #emptyText(recordings: Recordings): string {
    if (recordings.filter !== null) return `No recording is ${STATE_WORDS[recordings.filter].toLowerCase()} now.`;
    return "No recordings yet. They appear here when the provider announces them.";
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-recordings-page": RecordingsPage;
  }
}
