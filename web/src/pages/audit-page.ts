/**
 * Who did what, and who listened: the audit log, newest first.
 */

import { html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { AuditEntry, AuditKind } from "../api/admin.js";
import { theme } from "../elements/theme.js";
import { dayAndTime } from "../elements/words.js";
import { t } from "../i18n/words.js";
import { formStyle } from "./form-style.js";
import { Page } from "./page.js";
import { pageStyle } from "./page-style.js";
import { tableStyle } from "./table-style.js";

const KINDS: readonly AuditKind[] = ["changes", "listening"];

@customElement("callspool-audit-page")
export class AuditPage extends Page {
  static override styles = [theme, pageStyle, formStyle, tableStyle];

  @state() private entries: readonly AuditEntry[] = [];
  @state() private cursor: string | null = null;
  @state() private only: AuditKind = "changes";

  protected override async read(signal: AbortSignal): Promise<void> {
    const { only } = this;
    const page = await this.admin.audit(only, null, signal);
    if (only !== this.only) return; // another choice was made meanwhile
    this.entries = page.entries;
    this.cursor = page.next_cursor;
  }

  protected override heard(): void {
    // What happens to recordings stands with each recording.
  }

  async #look(kind: AuditKind): Promise<void> {
    this.only = kind;
    await this.reread();
  }

  #more(): Promise<boolean> {
    return this.trying(async () => {
      const page = await this.admin.audit(this.only, this.cursor, this.leaving.signal);
      this.entries = [...this.entries, ...page.entries];
      this.cursor = page.next_cursor;
    });
  }

  protected override render() {
    return html`
      <main aria-busy=${!this.loaded}>
        <div class="bar">
          <h1>${t("page.audit")}</h1>
          <div class="choices" role="group" aria-label=${t("audit.kind")}>
            ${KINDS.map(
              (kind) => html`
                <button aria-pressed=${kind === this.only} @click=${() => this.#look(kind)}>${t(`audit.${kind}`)}</button>
              `,
            )}
          </div>
        </div>
        <p class="lead">${t("audit.lead")}</p>
        ${this.complaint()}
        <div class="table" tabindex="0" role="region" aria-label=${t("page.audit")}>
          <table>
            <thead>
              <tr>
                <th scope="col" class="number">#</th>
                <th scope="col">${t("audit.at")}</th>
                <th scope="col">${t("audit.actor")}</th>
                <th scope="col">${t("audit.action")}</th>
                <th scope="col">${t("audit.target")}</th>
                <th scope="col">${t("audit.detail")}</th>
              </tr>
            </thead>
            <tbody>
              ${repeat(this.entries, ({ seq }) => seq, (entry) => this.#entry(entry))}
            </tbody>
          </table>
        </div>
        ${this.cursor === null ? nothing : html`<button class="button more" @click=${this.#more}>${t("more")}</button>`}
      </main>
    `;
  }

  #entry(entry: AuditEntry) {
    return html`
      <tr>
        <td class="number">${entry.seq}</td>
        <td>${dayAndTime(entry.at)}</td>
        <td>${entry.actor}${entry.address ? html` <small>${entry.address}</small>` : nothing}</td>
        <td><code>${entry.action}</code></td>
        <td>${entry.target}</td>
        <td class="detail">${pairs(entry.detail).map(([name, value]) => html`<span>${name ? html`${name}: ` : nothing}<b>${value}</b></span>`)}</td>
      </tr>
    `;
  }
}

/** What was changed, by name. */
function pairs(detail: unknown): [string, string][] {
  if (detail === null || detail === undefined || detail === "") return [];
  if (typeof detail !== "object") return [["", String(detail)]];
  const said = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));
  return Object.entries(detail).map(([name, value]) => [name, said(value)]);
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-audit-page": AuditPage;
  }
}
