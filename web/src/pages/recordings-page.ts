/**
 * The list of recordings under filters that stand in the address, and the player for the one that is open.
 */

import { html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import type { RecordingFilter, State, Tenant } from "../api/client.js";
import { browserRuntime } from "../api/runtime.js";
import type { CallspoolPlayer } from "../../player/src/index.js";
import "../../player/src/index.js";
import "../elements/recording-list.js";
import { hasWork } from "../elements/tenant-strip.js";
import { theme } from "../elements/theme.js";
import { count, dayAndTime, moment } from "../elements/words.js";
import { problemSentence } from "../i18n/told.js";
import { t } from "../i18n/words.js";
import { Page } from "./page.js";
import { pageStyle } from "./page-style.js";
import { formStyle } from "./form-style.js";
import { dockStyle } from "./dock-style.js";
import { Recordings } from "./recordings.js";
import { type Route, go, href, recordingHref } from "./router.js";

const STATES: readonly (State | null)[] = [null, "ready", "fetching", "queued", "failed", "announced", "cancelled", "absent", "purged"];
/** Between the last key and the search for what was typed. */
const TYPING_MS = 300;

@customElement("callspool-recordings-page")
export class RecordingsPage extends Page {
  static override styles = [theme, pageStyle, formStyle, dockStyle];

  /** What came of copying a link. */
  @state() private shared: string | null = null;
  @query("callspool-player") private player!: CallspoolPlayer | null;

  #recordings!: Recordings;
  #typed = new AbortController();

  override connectedCallback(): void {
    super.connectedCallback();
    const changed = () => this.requestUpdate();
    const { signal } = this.leaving;
    this.#recordings = new Recordings(this.client, browserRuntime, changed, signal, stateOf(this.route), filterOf(this.route));
    this.live.listen(this.#recordings, signal);
  }

  protected override async read(): Promise<void> {
    // The list reads for itself: it knows what it has.
  }

  protected override heard(): void {
    // And it hears for itself.
  }

  protected override willUpdate(): void {
    void this.#recordings.show(stateOf(this.route), filterOf(this.route));
  }

  /** Puts what is wanted into the address, from where it is read. */
  #narrow(change: Readonly<Record<string, string | null>>, instead = false): void {
    const now = Object.fromEntries(this.route.params);
    go(href("recordings", { ...now, ...change }), instead);
  }

  async #type(event: Event): Promise<void> {
    const text = (event.target as HTMLInputElement).value.trim();
    this.#typed.abort();
    this.#typed = new AbortController();
    await browserRuntime.wait(TYPING_MS, this.#typed.signal).then(
      () => this.#narrow({ q: text }, true),
      () => undefined,
    );
  }

  async #open(event: CustomEvent<string>): Promise<void> {
    const recordings = this.#recordings;
    const isOther = recordings.selected !== event.detail;
    recordings.selected = event.detail;
    this.shared = null;
    this.requestUpdate();
    await this.updateComplete;
    const opened = recordings.current;
    if (opened?.state === "ready") this.player?.play();
    else if (opened?.state === "queued" && isOther) await this.#hasten(opened.id);
  }

  /** Who opens what waits wants to hear it soon. */
  async #hasten(id: string): Promise<void> {
    try {
      this.#recordings.learn(await this.client.hasten(id));
    } catch {
      // It keeps its place; the player says where it stands.
    }
  }

  /** The list is no place to come back to: a moment is shared as that of the recording's own page. */
  async #share(event: CustomEvent<{ url: string }>): Promise<void> {
    const { current } = this.#recordings;
    if (!current) return;
    event.preventDefault();
    const url = new URL(recordingHref(current.id), location.origin);
    const moment = new URLSearchParams(new URL(event.detail.url).hash.slice(1)).get("t");
    url.hash = `t=${moment ?? "0"}`;
    this.shared = await navigator.clipboard.writeText(url.href).then(
      () => t("recordings.shared"),
      () => url.href,
    );
  }

  #close(): void {
    this.shared = null;
    this.#recordings.selected = null;
    this.requestUpdate();
  }

  protected override render() {
    const recordings = this.#recordings;
    const names = new Map(recordings.tenants.map((tenant) => [tenant.id, tenant.name]));
    return html`
      <main>
        ${
          recordings.tenants.some(hasWork)
            ? html`<callspool-tenant-strip .tenants=${recordings.tenants}></callspool-tenant-strip>`
            : nothing
        }
        <div class="bar">
          <h1>${t("page.recordings")}</h1>
          ${this.#states(recordings)}
        </div>
        ${this.#search(recordings.tenants)}
        ${recordings.problem ? html`<p class="problem" role="alert">${problemSentence(recordings.problem)}</p>` : nothing}
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

  #states(recordings: Recordings) {
    const sum = (state: State) => recordings.tenants.reduce((all, tenant) => all + (tenant.states[state] ?? 0), 0);
    const isCounted = recordings.isWhole;
    return html`
      <div class="choices" role="group" aria-label=${t("recordings.byState")}>
        ${STATES.map(
          (state) => html`
            <button
              aria-pressed=${state === recordings.state ? "true" : "false"}
              @click=${() => this.#narrow({ state })}
            >
              ${t(state === null ? "recordings.all" : `state.${state}`)}
              ${state !== null && isCounted && sum(state) > 0 ? html`<small>${count(sum(state))}</small>` : nothing}
            </button>
          `,
        )}
      </div>
    `;
  }

  #search(tenants: readonly Tenant[]) {
    const { params } = this.route;
    const given = (name: string) => params.get(name) ?? "";
    const field = (event: Event) => (event.target as HTMLInputElement | HTMLSelectElement).value;
    const isNarrowed = [...params.keys()].some((name) => name !== "state");
    return html`
      <form class="fields" role="search" @submit=${(event: Event) => event.preventDefault()}>
        <label class="wide">
          ${t("recordings.search")}
          <input type="search" .value=${given("q")} placeholder=${t("recordings.searchFor")} @input=${this.#type} />
        </label>
        ${
          tenants.length > 1
            ? html`<label>
                ${t("tenant")}
                <select @change=${(event: Event) => this.#narrow({ tenant: field(event) })}>
                  <option value="">${t("recordings.all")}</option>
                  ${tenants.map(({ id, name }) => html`<option value=${id} ?selected=${id === given("tenant")}>${name}</option>`)}
                </select>
              </label>`
            : nothing
        }
        <label>
          ${t("recordings.from")}
          <input type="date" .value=${given("from")} @change=${(event: Event) => this.#narrow({ from: field(event) })} />
        </label>
        <label>
          ${t("recordings.before")}
          <input type="date" .value=${given("before")} @change=${(event: Event) => this.#narrow({ before: field(event) })} />
        </label>
        ${
          params.get("reason")
            ? html`<span class="chip"><code>${params.get("reason")}</code></span>`
            : nothing
        }
        ${params.get("account") ? html`<span class="chip">${t("account")}: ${params.get("account")}</span>` : nothing}
        ${
          isNarrowed
            ? html`<button type="button" class="button quiet" @click=${() => go(href("recordings", { state: params.get("state") }))}>
                ${t("recordings.clear")}
              </button>`
            : nothing
        }
      </form>
    `;
  }

  #dock(recordings: Recordings, names: ReadonlyMap<string, string>) {
    const { current } = recordings;
    if (!current) return nothing;
    return html`
      <section class="dock" aria-label=${t("recording.selected")}>
        <div class="inside">
          <div class="title">
            <strong><bdi>${names.get(current.tenant_id) ?? current.tenant_id}</bdi></strong>
            <time datetime=${moment(current)}>${dayAndTime(moment(current))}</time>
            <a href=${recordingHref(current.id)}>${t("recordings.history")}</a>
            <span role="status">${this.shared ?? ""}</span>
            <button class="close" aria-label=${t("recordings.close")} @click=${this.#close}>
              <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18" /></svg>
            </button>
          </div>
          <callspool-player
            lang=${document.documentElement.lang}
            recording=${current.id}
            .server=${this.server}
            cancellable
            @callspool-share=${this.#share}
          ></callspool-player>
        </div>
      </section>
    `;
  }

  #emptyText(recordings: Recordings): string {
    if (!recordings.isWhole) return t("recordings.noneFound");
    if (recordings.state !== null) return t("recordings.noneIn", { state: t(`state.${recordings.state}`) });
    return t("recordings.none");
  }
}

function stateOf({ params }: Route): State | null {
  const wanted = params.get("state");
  return STATES.find((state) => state !== null && state === wanted) ?? null;
}

function filterOf({ params }: Route): RecordingFilter {
  const filter: RecordingFilter = {};
  for (const name of ["tenant", "account", "reason", "q"] as const) {
    const value = params.get(name);
    if (value) filter[name] = value;
  }
  const [from, before] = [params.get("from"), params.get("before")];
  if (from) filter.created_from = startOfDay(from);
  if (before) filter.created_before = startOfDay(before);
  return filter;
}

/** The first moment of a day in the reader's own zone. */
function startOfDay(day: string): string {
  const at = new Date(`${day}T00:00:00`);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString();
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-recordings-page": RecordingsPage;
  }
}
