/**
 * What is going on: slots, backlogs, accounts, and how quickly recordings come. Limits and pauses are changed here.
 */

import { html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { repeat } from "lit/directives/repeat.js";
import type { AccountNow, Overview, TenantNow, Throughput } from "../api/admin.js";
import { browserRuntime } from "../api/runtime.js";
import "../elements/edit-number.js";
import "../elements/edit-origins.js";
import { theme } from "../elements/theme.js";
import "../elements/time-plot.js";
import { ago, count, rate, span } from "../elements/words.js";
import { language, t } from "../i18n/words.js";
import { Page } from "./page.js";
import { pageStyle } from "./page-style.js";
import { formStyle } from "./form-style.js";
import { tableStyle } from "./table-style.js";
import { nowStyle } from "./now-style.js";
import { href } from "./router.js";

const HOURS: readonly number[] = [6, 24, 168];
const MOST_DOTS = 12;
/** Limits and pauses are changed by others too, and no event tells of it. */
const EVERY_MS = 5_000;
const TICK_MS = 1_000;
const CAUSES: ReadonlySet<string> = new Set(["throttled", "failed", "refused"]);

@customElement("callspool-now-page")
export class NowPage extends Page {
  static override styles = [theme, pageStyle, formStyle, tableStyle, nowStyle];

  @state() private overview: Overview | null = null;
  @state() private throughput: Throughput | null = null;
  @state() private hours = 24;
  /** What was changed is kept, and the scheduler has not heard of it yet. */
  @state() private notInForce = false;

  protected override readonly everyMs = EVERY_MS;
  #readAt = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#tick(this.leaving.signal).catch(() => undefined);
  }

  protected override async read(signal: AbortSignal): Promise<void> {
    const [, throughput] = await Promise.all([this.readAgain(signal), this.admin.throughput(this.hours, signal)]);
    this.throughput = throughput;
  }

  protected override async readAgain(signal: AbortSignal): Promise<void> {
    this.overview = await this.admin.overview(signal);
    this.#readAt = performance.now();
  }

  /** Ages grow while nothing is read. */
  async #tick(signal: AbortSignal): Promise<void> {
    for (;;) {
      await browserRuntime.wait(TICK_MS, signal);
      this.requestUpdate();
    }
  }

  /** The server's time now: that of what was read, and what has passed since. */
  #now({ at }: Overview): string {
    return new Date(Date.parse(at) + performance.now() - this.#readAt).toISOString();
  }

  protected override render() {
    const { overview } = this;
    return html`
      <main aria-busy=${!this.loaded}>
        <div class="bar"><h1>${t("page.now")}</h1></div>
        ${this.complaint()}
        ${this.notInForce ? html`<p class="problem" role="status">${t("now.notInForce")}</p>` : nothing}
        ${overview ? [this.#figures(overview), guard([this.throughput, this.hours, language()], () => this.#plots()), this.#tenants(overview), this.#accounts(overview)] : nothing}
      </main>
    `;
  }

  #figures(overview: Overview) {
    const { tenants } = overview;
    const at = this.#now(overview);
    const sum = (of: (tenant: TenantNow) => number | null) => tenants.reduce((all, one) => all + (of(one) ?? 0), 0);
    const oldest = tenants.map((one) => one.oldest_waiting_at).filter((one) => one !== null).sort()[0];
    const points = this.throughput?.points ?? [];
    const ready = points.reduce((all, point) => all + point.ready, 0);
    const failed = sum((one) => one.states.failed ?? 0);
    const isAway = tenants.length > 0 && tenants.every((one) => one.running === null);
    return html`
      ${isAway ? html`<p class="problem" role="alert">${t("now.away")}</p>` : nothing}
      <dl class="figures">
        <div>
          <dt>${t("now.running")}</dt>
          <dd>${count(sum((one) => one.running))} <small>${t("now.ofSlots", { slots: sum((one) => one.slots) })}</small></dd>
        </div>
        <div>
          <dt>${t("now.waiting")}</dt>
          <dd>
            ${count(sum((one) => (one.waiting ?? 0) + (one.deferred ?? 0)))}
            <small>${oldest ? t("now.oldest", { age: ago(oldest, at) }) : ""}</small>
          </dd>
        </div>
        <div>
          <dt>${t("now.ready")}</dt>
          <dd>${count(ready)} <small>${this.hours < 48 ? t("now.inHours", { n: this.hours }) : t("now.inDays", { n: this.hours / 24 })}</small></dd>
        </div>
        <div>
          <dt>${t("state.failed")}</dt>
          <dd>${count(failed)} ${failed ? html`<a href=${href("failures")}>${t("now.seeWhy")}</a>` : nothing}</dd>
        </div>
      </dl>
    `;
  }

  #plots() {
    const points = this.throughput?.points ?? [];
    const times = points.map(({ at }) => Date.parse(at) / 1000);
    return html`
      <div class="bar">
        <h2>${t("now.speed")}</h2>
        <div class="choices" role="group" aria-label=${t("now.range")}>
          ${HOURS.map(
            (hours) => html`
              <button aria-pressed=${hours === this.hours} @click=${() => this.#look(hours)}>
                ${hours < 48 ? t("now.hours", { n: hours }) : t("now.days", { n: hours / 24 })}
              </button>
            `,
          )}
        </div>
      </div>
      <div class="pair">
        <callspool-time-plot
          .heading=${t("now.throughput")}
          .times=${times}
          .series=${[
            { label: t("state.ready"), colour: "--_good", values: points.map(({ ready }) => ready), bars: true },
            { label: t("state.failed"), colour: "--_bad", values: points.map(({ failed }) => failed) },
          ]}
        ></callspool-time-plot>
        <callspool-time-plot
          .heading=${t("now.timeToReady")}
          .times=${times}
          .format=${span}
          .series=${[
            { label: t("now.half"), colour: "--_accent", values: points.map(({ p50_s }) => p50_s) },
            { label: t("now.most"), colour: "--_wait", values: points.map(({ p95_s }) => p95_s) },
          ]}
        ></callspool-time-plot>
      </div>
    `;
  }

  async #look(hours: number): Promise<void> {
    this.hours = hours;
    await this.reread();
  }

  async #change(work: () => Promise<{ in_force: boolean }>): Promise<void> {
    const isDone = await this.trying(async () => {
      this.notInForce = !(await work()).in_force;
    });
    if (isDone) await this.reread();
  }

  #tenants(overview: Overview) {
    const { tenants } = overview;
    const at = this.#now(overview);
    return html`
      <h2>${t("now.tenants")}</h2>
      <div class="table" tabindex="0" role="region" aria-label=${t("now.tenants")}>
        <table>
          <thead>
            <tr>
              <th scope="col">${t("tenant")}</th>
              <th scope="col">${t("now.running")}</th>
              <th scope="col" class="number">${t("slots")}</th>
              <th scope="col" class="number">${t("weight")}</th>
              <th scope="col" class="number">${t("now.waiting")}</th>
              <th scope="col" class="number">${t("now.deferred")}</th>
              <th scope="col">${t("now.oldestWait")}</th>
              <th scope="col" class="number">${t("now.rate")}</th>
              ${this.isOperator ? html`<th scope="col">${t("origins")}</th>` : nothing}
              <th scope="col"><span class="visually-hidden">${t("pause")}</span></th>
            </tr>
          </thead>
          <tbody>
            ${repeat(tenants, ({ id }) => id, (tenant) => this.#tenant(tenant, at))}
          </tbody>
        </table>
      </div>
    `;
  }

  #tenant(tenant: TenantNow, at: string) {
    const set = (change: Parameters<typeof this.admin.setTenant>[1]) =>
      this.#change(() => this.admin.setTenant(tenant.id, change));
    const used = tenant.running ?? 0;
    return html`
      <tr>
        <th scope="row">
          <a dir="auto" href=${href("recordings", { tenant: tenant.id })}>${tenant.name}</a>
          ${tenant.paused ? html`<small class="mark">${t("paused")}</small>` : nothing}
        </th>
        <td>
          <span class="dots" aria-hidden="true">
            ${Array.from({ length: Math.min(tenant.slots, MOST_DOTS) }, (_, index) => html`<i class=${index < used ? "used" : ""}></i>`)}
          </span>
          ${count(tenant.running)}
        </td>
        <td class="number">${this.#number(tenant.slots, `${t("slots")}, ${tenant.name}`, "1", (slots) => set({ slots }))}</td>
        <td class="number">${this.#number(tenant.weight, `${t("weight")}, ${tenant.name}`, "any", (weight) => set({ weight }))}</td>
        <td class="number">${count(tenant.waiting)}</td>
        <td class="number">${count(tenant.deferred)}</td>
        <td>${tenant.oldest_waiting_at ? ago(tenant.oldest_waiting_at, at) : "–"}</td>
        <td class="number">${rate(tenant.ready_per_minute)}</td>
        ${this.isOperator ? html`<td>${this.#origins(tenant, (allowed_origins) => set({ allowed_origins }))}</td>` : nothing}
        <td class="end">${this.#pause(tenant.paused, tenant.name, (paused) => set({ paused }))}</td>
      </tr>
    `;
  }

  #number(value: number, label: string, step: string, keep: (value: number) => unknown) {
    if (!this.isOperator) return count(value);
    return html`
      <callspool-edit-number
        .value=${value}
        .label=${label}
        .min=${step === "1" ? 0 : 0.01}
        .step=${step}
        @number-set=${(event: CustomEvent<number>) => keep(event.detail)}
      ></callspool-edit-number>
    `;
  }

  #origins({ allowed_origins, name }: TenantNow, keep: (origins: string[]) => unknown) {
    return html`
      <callspool-edit-origins
        .value=${allowed_origins}
        .label=${`${t("origins")}, ${name}`}
        @origins-set=${(event: CustomEvent<string[]>) => keep(event.detail)}
      ></callspool-edit-origins>
    `;
  }

  #pause(paused: boolean, name: string, keep: (paused: boolean) => unknown) {
    if (!this.isOperator) return nothing;
    const word = t(paused ? "resume" : "pause");
    return html`<button class="button small" aria-label=${`${word}: ${name}`} @click=${() => keep(!paused)}>${word}</button>`;
  }

  /** Accounts are the operator's: a tenant gets none. */
  #accounts(overview: Overview) {
    const { accounts } = overview;
    if (!accounts?.length) return nothing;
    const at = this.#now(overview);
    return html`
      <h2>${t("now.accounts")}</h2>
      <div class="table" tabindex="0" role="region" aria-label=${t("now.accounts")}>
        <table>
          <thead>
            <tr>
              <th scope="col">${t("account")}</th>
              <th scope="col">${t("now.circuit")}</th>
              <th scope="col" class="number">${t("now.running")}</th>
              <th scope="col" class="number">${t("now.limit")}</th>
              <th scope="col" class="number">${t("now.limitNow")}</th>
              <th scope="col" class="number">${t("now.waiting")}</th>
              <th scope="col">${t("now.oldestWait")}</th>
              <th scope="col" class="number">${t("now.rate")}</th>
              <th scope="col" class="number">${t("now.retries")}</th>
              <th scope="col"><span class="visually-hidden">${t("pause")}</span></th>
            </tr>
          </thead>
          <tbody>
            ${repeat(accounts, ({ id }) => id, (account) => this.#account(account, at))}
          </tbody>
        </table>
      </div>
    `;
  }

  #account(account: AccountNow, at: string) {
    const set = (change: Parameters<typeof this.admin.setAccount>[1]) =>
      this.#change(() => this.admin.setAccount(account.id, change));
    const isPaused = account.paused || account.paused_until !== null;
    return html`
      <tr>
        <th scope="row">
          <a href=${href("recordings", { account: account.id })}>${account.id}</a> <small>${account.provider}</small>
        </th>
        <td data-circuit=${account.circuit ?? "closed"}>
          ${t(`circuit.${account.circuit ?? "unknown"}`)}
          ${account.paused ? html`<small class="mark">${t("paused")}</small>` : nothing}
          ${account.paused_until ? html`<small class="mark">${this.#heldBack(account, account.paused_until, at)}</small>` : nothing}
        </td>
        <td class="number">${count(account.running)}</td>
        <td class="number">${this.#number(account.limit, `${t("now.limit")}, ${account.id}`, "1", (limit) => set({ limit }))}</td>
        <td class="number">${count(account.current_limit)}</td>
        <td class="number">${count(account.waiting)}</td>
        <td>${account.oldest_waiting_at ? ago(account.oldest_waiting_at, at) : "–"}</td>
        <td class="number">${rate(account.ready_per_minute)}</td>
        <td class="number">${account.retry_budget === null ? "–" : t("now.ofBudget", { n: Math.floor(account.retry_budget) })}</td>
        <td class="end">${this.#pause(isPaused, account.id, (paused) => set({ paused }))}</td>
      </tr>
    `;
  }

  /** How long the provider's answer still keeps it back, and which answer that was. */
  #heldBack({ paused_because }: AccountNow, until: string, at: string): string {
    const time = span(Math.max(0, (Date.parse(until) - Date.parse(at)) / 1000));
    const because = CAUSES.has(paused_because ?? "") ? (paused_because as "throttled" | "failed" | "refused") : null;
    return t(because === null ? "now.pausedFor" : `now.pausedFor.${because}`, { time });
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-now-page": NowPage;
  }
}
