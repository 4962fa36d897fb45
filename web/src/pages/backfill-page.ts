/**
 * Asks a provider for what no webhook told: a run by dates, its progress, and how complete each day is.
 */

import { html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { AccountNow, Backfill, Day } from "../api/admin.js";
import { browserRuntime } from "../api/runtime.js";
import { theme } from "../elements/theme.js";
import { count, dayAndTime, daysAgo, span } from "../elements/words.js";
import { t } from "../i18n/words.js";
import { Page } from "./page.js";
import { pageStyle } from "./page-style.js";
import { formStyle } from "./form-style.js";
import { cardStyle } from "./card-style.js";
import { tableStyle } from "./table-style.js";

const LOOK_MS = 1_000;
const DAYS = 14;

@customElement("callspool-backfill-page")
export class BackfillPage extends Page {
  static override styles = [theme, pageStyle, formStyle, cardStyle, tableStyle];

  @state() private accounts: readonly AccountNow[] = [];
  @state() private runs: readonly Backfill[] = [];
  @state() private account: string | null = null;
  @state() private days: readonly Day[] = [];
  @state() private busy = false;

  @query("form") private form!: HTMLFormElement;
  #looking = false;

  protected override async read(signal: AbortSignal): Promise<void> {
    const [overview, runs] = await Promise.all([this.admin.overview(signal), this.admin.backfills(signal)]);
    this.accounts = overview.accounts ?? [];
    this.runs = runs;
    this.account ??= this.accounts[0]?.id ?? null;
    if (this.account !== null) {
      this.days = await this.admin.completeness(this.account, daysAgo(DAYS - 1), daysAgo(-1), signal);
    }
    void this.#watch();
  }

  /** Looks at the runs again for as long as one of them is under way. */
  async #watch(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const { signal } = this.leaving;
    await this.trying(async () => {
      while (this.runs.some(isUnderWay)) {
        await browserRuntime.wait(LOOK_MS, signal);
        this.runs = await this.admin.backfills(signal);
      }
    });
    this.#looking = false;
  }

  async #start(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const given = new FormData(this.form);
    const text = (name: string) => String(given.get(name) ?? "");
    this.busy = true;
    const started = await this.trying(() =>
      this.admin.startBackfill({
        account_id: text("account"),
        since: `${text("since")}T00:00:00Z`,
        until: text("until") === "" ? null : `${text("until")}T00:00:00Z`,
        dry_run: given.has("dry_run"),
      }),
    );
    this.busy = false;
    if (started) await this.reread();
  }

  async #cancel(run: Backfill): Promise<void> {
    if (await this.trying(() => this.admin.cancelBackfill(run.id))) await this.reread();
  }

  async #choose(account: string): Promise<void> {
    this.account = account;
    await this.reread();
  }

  protected override render() {
    return html`
      <main aria-busy=${!this.loaded}>
        <div class="bar"><h1>${t("page.backfill")}</h1></div>
        <p class="lead">${t("backfill.lead")}</p>
        ${this.complaint()} ${this.#wanted()}
        ${
          this.runs.length
            ? html`<ul class="cards" aria-label=${t("backfill.runs")}>
                ${repeat(this.runs, ({ id }) => id, (run) => this.#run(run))}
              </ul>`
            : nothing
        }
        ${this.#completeness()}
      </main>
    `;
  }

  #wanted() {
    return html`
      <form class="fields" @submit=${this.#start}>
        <label>
          ${t("account")}
          <select name="account" required>
            ${this.accounts.map(({ id }) => html`<option value=${id}>${id}</option>`)}
          </select>
        </label>
        <label>${t("backfill.since")}<input type="date" name="since" required value=${daysAgo(30)} max=${daysAgo(0)} /></label>
        <label>${t("backfill.until")}<input type="date" name="until" max=${daysAgo(-1)} /></label>
        <label class="check"><input type="checkbox" name="dry_run" checked /> ${t("backfill.dryRun")}</label>
        <button class="button primary" ?disabled=${this.busy || this.accounts.length === 0}>${t("backfill.start")}</button>
      </form>
    `;
  }

  #run(run: Backfill) {
    const figures = t("backfill.figures", {
      listed: run.listed,
      inserted: run.inserted,
      known: run.known,
      vanished: run.vanished,
    });
    return html`
      <li>
        <div class="what">
          <strong><bdi>${run.account_id}</bdi>: <bdi>${dayAndTime(run.since)}</bdi> – <bdi>${dayAndTime(run.until)}</bdi></strong>
          <small>${run.dry_run ? html`<span class="mark">${t("backfill.dryRun")}</span>` : nothing} ${figures}</small>
          ${run.error ? html`<small role="alert">${run.error}</small>` : nothing}
          ${
            isUnderWay(run)
              ? html`<progress
                  max=${Math.max(run.windows, 1)}
                  .value=${run.windows_done}
                  aria-label=${t("backfill.progress")}
                ></progress>`
              : nothing
          }
        </div>
        <div class="acts">
          <span>
            ${t(`backfill.${run.state}`)}
            ${isUnderWay(run) && run.eta_s !== null ? html`<small>${t("backfill.eta", { time: span(run.eta_s) })}</small>` : nothing}
          </span>
          ${
            isUnderWay(run)
              ? html`<button class="button small" @click=${() => this.#cancel(run)}>${t("backfill.stop")}</button>`
              : nothing
          }
        </div>
      </li>
    `;
  }

  #completeness() {
    if (this.account === null) return nothing;
    return html`
      <div class="bar">
        <h2>${t("backfill.complete")}</h2>
        <label class="inline">
          ${t("account")}
          <select @change=${(event: Event) => this.#choose((event.target as HTMLSelectElement).value)}>
            ${this.accounts.map(({ id }) => html`<option value=${id} ?selected=${id === this.account}>${id}</option>`)}
          </select>
        </label>
      </div>
      <div class="table" tabindex="0" role="region" aria-label=${t("backfill.complete")}>
        <table>
          <thead>
            <tr>
              <th scope="col">${t("backfill.day")}</th>
              <th scope="col" class="number">${t("backfill.listed")}</th>
              <th scope="col" class="number">${t("backfill.kept")}</th>
              <th scope="col" class="number">${t("backfill.pending")}</th>
              <th scope="col" class="number">${t("state.absent")}</th>
              <th scope="col" class="number">${t("state.failed")}</th>
              <th scope="col" class="number">${t("state.purged")}</th>
              <th scope="col">${t("backfill.missing")}</th>
            </tr>
          </thead>
          <tbody>
            ${
              this.days.length || !this.loaded
                ? this.days.map((day) => this.#day(day))
                : html`<tr><td class="empty" colspan="8">${t("backfill.noDays")}</td></tr>`
            }
          </tbody>
        </table>
      </div>
    `;
  }

  #day(day: Day) {
    const failed = Object.values(day.failed).reduce((sum, n) => sum + n, 0);
    const reasons = Object.entries(day.failed).map(([reason, n]) => `${reason}: ${n}`).join(", ");
    return html`
      <tr>
        <th scope="row">${day.day}</th>
        <td class="number">${count(day.listed)}</td>
        <td class="number">${count(day.kept)}</td>
        <td class="number">${count(day.pending)}</td>
        <td class="number">${count(day.absent)}</td>
        <td class="number" title=${reasons}>${count(failed)}</td>
        <td class="number">${count(day.purged)}</td>
        <td>
          ${
            day.listed_at === null
              ? html`<small>${t(day.listed + day.vanished === 0 ? "backfill.notListed" : "backfill.inPart")}</small> `
              : nothing
          }
          ${
            day.missing.length === 0
              ? day.listed_at === null
                ? nothing
                : t("backfill.noGap")
              : html`<details>
                  <summary>${t("backfill.gaps", { n: day.missing.length })}</summary>
                  <code>${day.missing.join(" ")}</code>
                </details>`
          }
        </td>
      </tr>
    `;
  }
}

function isUnderWay(run: Backfill): boolean {
  return run.state === "running" || run.state === "waiting";
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-backfill-page": BackfillPage;
  }
}
