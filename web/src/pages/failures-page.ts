/**
 * What failed, by reason and by account, and a retry of one kind or of all: counted first, then done under one's eyes.
 */

import { type PropertyValues, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { FailureGroup, Failures, Operation, Which } from "../api/admin.js";
import type { Tenant } from "../api/client.js";
import { browserRuntime } from "../api/runtime.js";
import { theme } from "../elements/theme.js";
import { count, dayAndTime, reasonSentence } from "../elements/words.js";
import { t } from "../i18n/words.js";
import { Page } from "./page.js";
import { pageStyle } from "./page-style.js";
import { formStyle } from "./form-style.js";
import { cardStyle } from "./card-style.js";
import { type Route, go, href } from "./router.js";

/** Between two looks at a running retry. */
const LOOK_MS = 1_000;
/** Of a reason are named the accounts that have the most of it. */
const MOST_ACCOUNTS = 6;

interface Asked {
  which: Which;
  matched: number;
}

@customElement("callspool-failures-page")
export class FailuresPage extends Page {
  static override styles = [theme, pageStyle, formStyle, cardStyle];

  @state() private failures: Failures = { groups: [], accounts: [] };
  @state() private tenants: readonly Tenant[] = [];
  @state() private asked: Asked | null = null;
  @state() private operation: Operation | null = null;
  @state() private busy = false;

  protected override async read(signal: AbortSignal): Promise<void> {
    const { params } = this.route;
    [this.failures, this.tenants] = await Promise.all([
      this.admin.failures({ tenant: params.get("tenant"), account: params.get("account") }, signal),
      this.isOperator ? this.client.tenants(signal) : [],
    ]);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#goOn();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const narrowed = (route: Route | undefined) => `${route?.params.get("tenant")} ${route?.params.get("account")}`;
    if (!changed.has("route") || !this.loaded || narrowed(changed.get("route")) === narrowed(this.route)) return;
    this.asked = null;
    void this.reread();
  }

  /** A retry that runs stands in the address: a reload, or another person, sees how far it is. */
  async #goOn(): Promise<void> {
    const id = this.route.params.get("operation");
    if (id === null) return;
    await this.#once(async () => {
      this.operation = await this.admin.operation(id, this.leaving.signal);
      await this.#follow(this.operation);
    });
  }

  async #follow(begun: Operation): Promise<void> {
    const { signal } = this.leaving;
    this.operation = begun;
    while (this.operation.state === "running") {
      await browserRuntime.wait(LOOK_MS, signal);
      this.operation = await this.admin.operation(begun.id, signal);
    }
    await this.read(signal);
  }

  #narrow(change: Readonly<Record<string, string | null>>): void {
    go(href("failures", { ...Object.fromEntries(this.route.params), ...change }), true);
  }

  async #once(work: () => Promise<unknown>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    await this.trying(work);
    this.busy = false;
  }

  #count(reason: string | null): Promise<void> {
    return this.#once(async () => {
      const which = {
        reason,
        tenant_id: this.route.params.get("tenant") || null,
        account_id: this.route.params.get("account") || null,
      };
      this.operation = null;
      this.#narrow({ operation: null });
      this.asked = { which, matched: await this.admin.countRetry(which) };
    });
  }

  #retry({ which }: Asked): Promise<void> {
    return this.#once(async () => {
      const begun = await this.admin.retryAll(which);
      this.asked = null;
      this.#narrow({ operation: begun.id });
      await this.#follow(begun);
    });
  }

  protected override render() {
    const { groups } = this.failures;
    const all = groups.filter(({ retryable }) => retryable).reduce((sum, group) => sum + group.count, 0);
    return html`
      <main aria-busy=${!this.loaded}>
        <div class="bar">
          <h1>${t("page.failures")}</h1>
          ${
            all > 0
              ? html`<button class="button" ?disabled=${this.busy} @click=${() => this.#count(null)}>
                  ${t("failures.retryEvery")}
                </button>`
              : nothing
          }
        </div>
        <form class="fields" @submit=${(event: Event) => event.preventDefault()}>
          ${this.#tenantChoice()} ${this.#accountChoice()}
        </form>
        ${this.complaint()} ${this.#ask()} ${this.#progress()}
        ${
          groups.length
            ? html`<ul class="cards" aria-label=${t("page.failures")}>
                ${repeat(groups, ({ reason }) => reason, (group) => this.#group(group))}
              </ul>`
            : html`<p class="empty" role="status">${t(this.loaded ? "failures.none" : "loading")}</p>`
        }
      </main>
    `;
  }

  #group(group: FailureGroup) {
    return html`
      <li>
        <div class="what">
          <strong>${reasonSentence(group.reason, group.sentence)}</strong>
          <small>
            <code>${group.reason}</code>
            ${group.newest ? `· ${t("failures.newest", { time: dayAndTime(group.newest) })}` : nothing}
            ${group.oldest && group.oldest !== group.newest ? `· ${t("failures.oldest", { time: dayAndTime(group.oldest) })}` : nothing}
          </small>
          ${this.#accountsOf(group)}
        </div>
        <span class="big">${count(group.count)}</span>
        <div class="acts">
          <a class="button small" href=${href("recordings", {
            state: "failed",
            reason: group.reason,
            tenant: this.route.params.get("tenant"),
            account: this.route.params.get("account"),
          })}>${t("show")}</a>
          ${
            group.retryable
              ? html`<button class="button small" ?disabled=${this.busy} @click=${() => this.#count(group.reason)}>
                  ${t("failures.retryAll")}
                </button>`
              : html`<small>${t("failures.final")}</small>`
          }
        </div>
      </li>
    `;
  }

  #ask() {
    const { asked } = this;
    if (!asked) return nothing;
    return html`
      <section class="ask" role="alertdialog" aria-label=${t("failures.retryAll")}>
        <p>${t("failures.matched", { n: asked.matched })}</p>
        <button class="button primary" ?disabled=${this.busy || asked.matched === 0} @click=${() => this.#retry(asked)}>
          ${t("failures.start", { n: asked.matched })}
        </button>
        <button class="button quiet" @click=${() => (this.asked = null)}>${t("cancel")}</button>
      </section>
    `;
  }

  #progress() {
    const { operation } = this;
    if (!operation) return nothing;
    const looked = operation.done + operation.skipped;
    const isRunning = operation.state === "running";
    const said = isRunning
      ? t("failures.running", { done: looked, matched: operation.matched })
      : t("failures.done", { n: operation.done });
    return html`
      <section class="ask" role="status">
        <p>${said} ${!isRunning && operation.skipped > 0 ? t("failures.skipped", { n: operation.skipped }) : ""}</p>
        ${
          isRunning
            ? html`<progress max=${Math.max(operation.matched, 1)} .value=${looked} aria-label=${said}></progress>`
            : nothing
        }
      </section>
    `;
  }

  /** Which accounts a reason comes from, where that is a question. */
  #accountsOf({ accounts }: FailureGroup) {
    if (this.failures.accounts.length < 2) return nothing;
    return html`
      <small class="shares">
        ${accounts.slice(0, MOST_ACCOUNTS).map((one) => html`<span><bdi>${one.account_id}</bdi> ${count(one.count)}</span>`)}
        ${accounts.length > MOST_ACCOUNTS ? html`<span>…</span>` : nothing}
      </small>
    `;
  }

  #tenantChoice() {
    if (!this.isOperator) return nothing;
    const chosen = this.route.params.get("tenant") ?? "";
    return html`
      <label>
        ${t("tenant")}
        <select @change=${(event: Event) => this.#narrow({ tenant: (event.target as HTMLSelectElement).value })}>
          <option value="">${t("recordings.all")}</option>
          ${this.tenants.map(({ id, name }) => html`<option value=${id} ?selected=${id === chosen}>${name}</option>`)}
        </select>
      </label>
    `;
  }

  /** An account that breaks stands first. One that is chosen stays to be seen when nothing of it has failed. */
  #accountChoice() {
    const chosen = this.route.params.get("account") || null;
    const accounts = [...this.failures.accounts];
    if (chosen !== null && !accounts.some((one) => one.account_id === chosen)) accounts.push({ account_id: chosen, count: 0 });
    if (accounts.length < 2 && chosen === null) return nothing;
    const all = accounts.reduce((sum, one) => sum + one.count, 0);
    const choice = (id: string | null, label: unknown, number: number) => html`
      <button type="button" aria-pressed=${id === chosen} @click=${() => this.#narrow({ account: id })}>
        ${label} <small>${count(number)}</small>
      </button>
    `;
    return html`
      <div>
        <span class="caption" aria-hidden="true">${t("account")}</span>
        <div class="choices" role="group" aria-label=${t("failures.byAccount")}>
          ${choice(null, t("recordings.all"), all)}
          ${accounts.map((one) => choice(one.account_id, html`<bdi>${one.account_id}</bdi>`, one.count))}
        </div>
      </div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-failures-page": FailuresPage;
  }
}
