/**
 * The whole page: who is signed in, the way between the pages, and the one stream of events that they share.
 */

import { LitElement, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { Listener } from "../api/feed.js";
import { Problem } from "../api/problem.js";
import { browserRuntime } from "../api/runtime.js";
import { type SharedFeed, feedOf } from "../api/shared-feed.js";
import "../elements/sign-in.js";
import { theme } from "../elements/theme.js";
import { problemSentence } from "../i18n/told.js";
import { LANGUAGES, type Language, Localized, choose, dress, language, t } from "../i18n/words.js";
import { appStyle } from "./app-style.js";
import "./audit-page.js";
import "./backfill-page.js";
import "./failures-page.js";
import "./keys-page.js";
import "./now-page.js";
import type { Page } from "./page.js";
import "./recording-page.js";
import "./recordings-page.js";
import { type PageName, type Route, follow, href, read } from "./router.js";
import { type Credentials, type Entry, enter, identityProvider, keepKey, signIn, signOut, takeKeyFromAddress } from "./session.js";
import { InSight } from "./sight.js";

const FOR_ALL: readonly PageName[] = ["recordings", "now", "failures"];
const FOR_OPERATORS: readonly PageName[] = ["backfill", "keys", "audit"];

@customElement("callspool-app")
export class App extends LitElement {
  static override styles = [theme, appStyle];

  @state() private entry: Entry | null = null;
  /** Whether somebody is signed in already is not known yet. */
  @state() private starting = true;
  @state() private refusal: string | null = null;
  /** Why nobody could be signed out. */
  @state() private stays: string | null = null;
  /** Where one may sign in besides. */
  @state() private provider: string | null = null;
  @state() private route: Route = read(location);

  #live: SharedFeed | null = null;
  #session: AbortController | null = null;
  #shown: Page | null = null;
  #isLeaving = false;

  readonly #onAddress = () => {
    if (takeKeyFromAddress()) void this.#begin(enter);
    this.route = read(location);
  };

  constructor() {
    super();
    new Localized(this);
    new InSight(this, "nav [aria-current]");
  }

  override connectedCallback(): void {
    super.connectedCallback();
    dress();
    window.addEventListener("hashchange", this.#onAddress);
    window.addEventListener("popstate", this.#onAddress);
    takeKeyFromAddress();
    void this.#begin(enter);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("hashchange", this.#onAddress);
    window.removeEventListener("popstate", this.#onAddress);
    this.#end();
  }

  /** Who may not see a page is led away from it: its address may come from somebody else. */
  protected override willUpdate(): void {
    const isTenant = this.entry !== null && this.entry.principal.tenant_id !== null;
    if (!isTenant || !FOR_OPERATORS.some((page) => page === this.route.page)) return;
    history.replaceState(null, "", href("recordings"));
    this.route = read(location);
  }

  protected override updated(): void {
    const page = this.route.page === "recording" ? "recordings" : this.route.page;
    document.title = `${this.entry ? t(`page.${page}`) : t("sign.title")} · callspool`;
  }

  /** Enters, or says why not. A server that cannot be reached is asked again when the person asks again. */
  async #begin(way: () => Promise<Entry | null>): Promise<void> {
    this.#end();
    this.refusal = null;
    try {
      this.entry = await way();
    } catch (error) {
      const problem = Problem.from(error);
      // By a key: the key is wrong. By name and password the server says what does not fit.
      this.refusal = problem.code === "unauthenticated" && way === enter ? t("sign.refused") : problemSentence(problem);
    }
    this.starting = false;
    if (this.entry === null) {
      await this.#askProvider();
      return;
    }
    const session = new AbortController();
    this.#session = session;
    this.#live = feedOf(this.entry.client, "", browserRuntime);
    const connection: Listener["connection"] = (state, problem) => {
      if (state === "refused" && problem?.status === 401 && !this.#isLeaving) this.#refused(t("sign.refused"));
      this.requestUpdate();
    };
    this.#live.listen({ connection }, session.signal);
  }

  async #askProvider(): Promise<void> {
    this.provider = await identityProvider().catch(() => null);
  }

  #signIn(credentials: Credentials): void {
    if ("key" in credentials) keepKey(credentials.key);
    void this.#begin("key" in credentials ? enter : () => signIn(credentials));
  }

  #end(): void {
    this.#session?.abort();
    this.#session = this.entry = this.stays = null;
  }

  #refused(why: string): void {
    if (this.entry) void signOut(this.entry.client).catch(() => undefined); // it is refused already
    this.#out(why);
  }

  /** To the sign-in, where it says why, if it was not asked for. */
  #out(why: string | null): void {
    this.#end();
    this.refusal = why;
    void this.#askProvider();
  }

  async #leave(): Promise<void> {
    const { entry } = this;
    if (entry === null || this.#isLeaving) return;
    this.#isLeaving = true;
    this.stays = null;
    try {
      await signOut(entry.client);
    } catch (error) {
      this.stays = `${t("sign.stays")} ${problemSentence(Problem.from(error))}`;
      return;
    } finally {
      this.#isLeaving = false;
    }
    this.#out(null);
  }

  protected override render() {
    const { entry } = this;
    if (entry === null) {
      return this.starting
        ? nothing
        : html`
            <callspool-sign-in
              .refusal=${this.refusal}
              .provider=${this.provider}
              @sign-in=${(event: CustomEvent<Credentials>) => this.#signIn(event.detail)}
            ></callspool-sign-in>
            <footer>${this.#languages()}</footer>
          `;
    }
    return html`
      <div class="all" @click=${follow}>
        ${this.#header(entry)}
        ${this.stays ? html`<p class="problem" role="alert">${this.stays}</p>` : nothing}
        ${this.#page(entry)}
      </div>
    `;
  }

  #header(entry: Entry) {
    const pages = entry.principal.tenant_id === null ? [...FOR_ALL, ...FOR_OPERATORS] : FOR_ALL;
    const shown = this.route.page === "recording" ? "recordings" : this.route.page;
    return html`
      <header>
        <a class="brand" href="/" aria-label="callspool">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M7 13v6M11.5 9v14M16 12v8M20.5 7v18M25 14v4" />
          </svg>
          <span>callspool</span>
        </a>
        <nav aria-label=${t("nav")}>
          ${pages.map(
            (page) => html`
              <a href=${href(page)} aria-current=${page === shown ? "page" : nothing}>${t(`page.${page}`)}</a>
            `,
          )}
        </nav>
        <span class="connection" role="status" data-state=${(this.#live?.state ?? "connecting")}>
          <i aria-hidden="true"></i>${t(`connection.${(this.#live?.state ?? "connecting")}`)}
        </span>
        ${this.#languages()}
        <button class="button quiet" title=${entry.principal.name} @click=${this.#leave}>${t("sign.out")}</button>
      </header>
    `;
  }

  #languages() {
    return html`
      <select
        aria-label=${t("language")}
        @change=${(event: Event) => choose((event.target as HTMLSelectElement).value as Language)}
      >
        ${LANGUAGES.map(([tag, name]) => html`<option value=${tag} lang=${tag} ?selected=${tag === language()}>${name}</option>`)}
      </select>
    `;
  }

  /** Returns the page's element: the same one for as long as that page is shown. */
  #page(entry: Entry): Page {
    const tag = `callspool-${this.route.page}-page` as const;
    const isOther = this.#shown?.localName !== tag || this.#shown.client !== entry.client;
    const page: Page = isOther || !this.#shown ? document.createElement(tag) : this.#shown;
    this.#shown = Object.assign(page, { ...entry, live: this.#live, route: this.route });
    return page;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-app": App;
  }
}
