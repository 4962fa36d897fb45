/**
 * What failed, by reason, and a retry of one kind or of all: counted first, then done under one's eyes.
 */

import { html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { FailureGroup, Operation, Which } from "../api/admin.js";
import { browserRuntime } from "../api/runtime.js";
import { theme } from "../elements/theme.js";
import { count, dayAndTime, reasonSentence } from "../elements/words.js";
import { t } from "../i18n/words.js";
import { Page } from "./page.js";
import { pageStyle } from "./page-style.js";
import { href } from "./router.js";

/** Between two looks at a running retry. */
const LOOK_MS = 1_000;

interface Asked {
  which: Which;
  matched: number;
}

@customElement("callspool-failures-page")
export class FailuresPage extends Page {
  static override styles = [theme, pageStyle];

  @state() private groups: readonly FailureGroup[] = [];
  @state() private asked: Asked | null = null;
  @state() private operation: Operation | null = null;
  @state() private busy = false;

  protected override async read(signal: AbortSignal): Promise<void> {
    this.groups = await this.admin.failures(signal);
  }

  async #once(work: () => Promise<unknown>): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    await this.trying(work);
    this.busy = false;
  }

  #count(reason: string | null): Promise<void> {
    return this.#once(async () => {
      const which = { reason, tenant_id: null, account_id: null };
      this.operation = null;
      this.asked = { which, matched: await this.admin.countRetry(which) };
    });
  }

  #retry({ which }: Asked): Promise<void> {
    return this.#once(async () => {
      this.operation = await this.admin.retryAll(which);
      this.asked = null;
      const { signal } = this.leaving;
      while (this.operation.state === "running") {
        await browserRuntime.wait(LOOK_MS, signal);
        this.operation = await this.admin.operation(this.operation.id, signal);
      }
      await this.read(signal);
    });
  }

  protected override render() {
    const all = this.groups.filter(({ retryable }) => retryable).reduce((sum, group) => sum + group.count, 0);
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
        ${this.complaint()} ${this.#ask()} ${this.#progress()}
        ${
          this.groups.length
            ? html`<ul class="cards" aria-label=${t("page.failures")}>
                ${repeat(this.groups, ({ reason }) => reason, (group) => this.#group(group))}
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
        </div>
        <span class="big">${count(group.count)}</span>
        <div class="acts">
          <a class="button small" href=${href("recordings", { state: "failed", reason: group.reason })}>${t("show")}</a>
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
    const said =
      operation.state === "running"
        ? t("failures.running", { done: looked, matched: operation.matched })
        : t("failures.done", { n: operation.done, skipped: operation.skipped });
    return html`
      <section class="ask" role="status">
        <p>${said}</p>
        <progress max=${Math.max(operation.matched, 1)} .value=${operation.state === "done" ? operation.matched || 1 : looked} aria-label=${said}></progress>
      </section>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-failures-page": FailuresPage;
  }
}
