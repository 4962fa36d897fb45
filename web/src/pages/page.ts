/**
 * What every page has: the client, the live events, who asks and the address. A page reads when it is shown and
 * again after what it shows has changed. What no event tells of, limits and pauses, a page may read by the clock, slowly
 * and only while somebody can see it.
 */

import { LitElement, html, nothing } from "lit";
import { property, state } from "lit/decorators.js";
import { Admin } from "../api/admin.js";
import type { Client, LiveEvent } from "../api/client.js";
import { Problem } from "../api/problem.js";
import { browserRuntime } from "../api/runtime.js";
import type { Connected, SharedFeed } from "../api/shared-feed.js";
import { problemSentence } from "../i18n/told.js";
import { Localized } from "../i18n/words.js";
import type { Route } from "./router.js";
import type { Principal } from "./session.js";
import { InSight } from "./sight.js";

/** What the page shows is read at most this often, and only after something happened. */
const SOON_MS = 1_500;

export abstract class Page extends LitElement {
  @property({ attribute: false }) client!: Client;
  @property({ attribute: false }) live!: SharedFeed;
  @property({ attribute: false }) principal!: Principal;
  @property({ attribute: false }) route!: Route;

  @state() protected problem: Problem | null = null;
  @state() protected loaded = false;

  /** So often the page reads again what no event tells of; null: events tell it all. */
  protected readonly everyMs: number | null = null;
  protected admin!: Admin;
  /** What the player asks and hears. */
  protected server!: Connected;
  /** Aborts when the page is left. */
  protected leaving = new AbortController();
  #asked = false;

  constructor() {
    super();
    new Localized(this);
    new InSight(this, ".choices [aria-pressed=true]");
  }

  get isOperator(): boolean {
    return this.principal.tenant_id === null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.leaving = new AbortController();
    this.admin = new Admin(this.client);
    this.server = { client: this.client, feed: this.live };
    this.live.listen({ event: (event) => this.heard(event), refresh: () => this.reread() }, this.leaving.signal);
    if (this.everyMs !== null) this.#keepReading(this.everyMs, this.leaving.signal).catch(() => undefined);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leaving.abort();
  }

  /** Reads what the page shows. */
  protected abstract read(signal: AbortSignal): Promise<void>;

  /** Reads what no event tells of. */
  protected readAgain(signal: AbortSignal): Promise<void> {
    return this.read(signal);
  }

  async #keepReading(everyMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      await browserRuntime.wait(everyMs, signal);
      if (document.visibilityState === "visible" && this.loaded) {
        // The feed tells when the server is away, and what a person asked for keeps its complaint.
        await this.readAgain(signal).catch(() => undefined);
      }
    }
  }

  /** Something happened to a recording. */
  protected heard(_: LiveEvent): void {
    this.rereadSoon();
  }

  protected async reread(): Promise<void> {
    await this.trying(() => this.read(this.leaving.signal));
    this.loaded = true;
  }

  protected rereadSoon(): void {
    if (this.#asked) return;
    this.#asked = true;
    browserRuntime
      .wait(SOON_MS, this.leaving.signal)
      .then(() => {
        this.#asked = false; // what happens while it is read is asked for again
        return this.reread();
      })
      .catch(() => undefined);
  }

  /** Does something that a person asked for; what goes wrong is told on the page. */
  protected async trying(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      this.problem = null;
      return true;
    } catch (error) {
      if (!this.leaving.signal.aborted) this.problem = Problem.from(error);
      return false;
    }
  }

  protected complaint() {
    return this.problem ? html`<p class="problem" role="alert">${problemSentence(this.problem)}</p>` : nothing;
  }
}
