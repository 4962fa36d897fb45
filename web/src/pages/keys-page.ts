/**
 * API keys: who has one, a new one, and the end of one. A secret is shown once.
 */

import { html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Key, Scope } from "../api/admin.js";
import type { Tenant } from "../api/client.js";
import { theme } from "../elements/theme.js";
import { dayAndTime, daysAgo } from "../elements/words.js";
import { t } from "../i18n/words.js";
import { Page } from "./page.js";
import { pageStyle } from "./page-style.js";
import { formStyle } from "./form-style.js";
import { tableStyle } from "./table-style.js";
import { cardStyle } from "./card-style.js";

const SCOPES: readonly Scope[] = ["read", "play", "write", "admin"];

@customElement("callspool-keys-page")
export class KeysPage extends Page {
  static override styles = [theme, pageStyle, formStyle, tableStyle, cardStyle];

  @state() private keys: readonly Key[] = [];
  @state() private tenants: readonly Tenant[] = [];
  @state() private secret: string | null = null;
  /** The key that a first click chose: the second one revokes it. */
  @state() private doomed: string | null = null;

  @query("form") private form!: HTMLFormElement;

  protected override async read(signal: AbortSignal): Promise<void> {
    [this.keys, this.tenants] = await Promise.all([this.admin.keys(signal), this.client.tenants(signal)]);
  }

  protected override heard(): void {
    // Recordings do not change keys.
  }

  async #add(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const given = new FormData(this.form);
    const tenant = String(given.get("tenant") ?? "");
    const added = await this.trying(async () => {
      const until = String(given.get("until") ?? "");
      const key = await this.admin.addKey({
        name: String(given.get("name") ?? ""),
        tenant_id: tenant === "" ? null : tenant,
        scopes: SCOPES.filter((scope) => given.has(scope)),
        expires_at: until === "" ? null : new Date(`${until}T00:00:00`).toISOString(),
      });
      this.secret = key.secret;
      this.form.reset();
    });
    if (added) await this.reread();
  }

  async #revoke(key: Key): Promise<void> {
    if (this.doomed !== key.id) {
      this.doomed = key.id;
      return;
    }
    this.doomed = null;
    if (await this.trying(() => this.admin.revokeKey(key.id))) await this.reread();
  }

  protected override render() {
    return html`
      <main aria-busy=${!this.loaded}>
        <div class="bar"><h1>${t("page.keys")}</h1></div>
        ${this.complaint()}
        <form class="fields" @submit=${this.#add}>
          <label>${t("keys.name")}<input name="name" required maxlength="100" autocomplete="off" /></label>
          <label>
            ${t("keys.sees")}
            <select name="tenant">
              <option value="">${t("keys.everything")}</option>
              ${this.tenants.map(({ id, name }) => html`<option value=${id}>${name}</option>`)}
            </select>
          </label>
          <label>${t("keys.until")}<input type="date" name="until" min=${daysAgo(-1)} /></label>
          <fieldset>
            <legend>${t("keys.may")}</legend>
            ${SCOPES.map(
              (scope) => html`
                <label class="check"><input type="checkbox" name=${scope} checked /> ${t(`scope.${scope}`)}</label>
              `,
            )}
          </fieldset>
          <button class="button primary">${t("keys.add")}</button>
        </form>
        ${
          this.secret === null
            ? nothing
            : html`<section class="ask" role="status">
                <p>${t("keys.once")}</p>
                <code class="secret">${this.secret}</code>
                <button class="button small" @click=${() => navigator.clipboard.writeText(this.secret ?? "")}>${t("copy")}</button>
                <button class="button quiet small" @click=${() => (this.secret = null)}>${t("keys.kept")}</button>
              </section>`
        }
        <div class="table" tabindex="0" role="region" aria-label=${t("page.keys")}>
          <table>
            <thead>
              <tr>
                <th scope="col">${t("keys.name")}</th>
                <th scope="col">${t("keys.sees")}</th>
                <th scope="col">${t("keys.may")}</th>
                <th scope="col">${t("keys.since")}</th>
                <th scope="col">${t("keys.expires")}</th>
                <th scope="col"><span class="visually-hidden">${t("keys.revoke")}</span></th>
              </tr>
            </thead>
            <tbody>
              ${repeat(this.keys, ({ id }) => id, (key) => this.#key(key))}
            </tbody>
          </table>
        </div>
      </main>
    `;
  }

  #scopes(key: Key): string {
    return SCOPES.filter((scope) => key.scopes.includes(scope)).map((scope) => t(`scope.${scope}`)).join(", ");
  }

  #key(key: Key) {
    const tenant = this.tenants.find(({ id }) => id === key.tenant_id);
    return html`
      <tr class=${key.revoked_at || isOver(key) ? "past" : ""}>
        <th scope="row">${key.name} <small><code>${key.id}</code></small></th>
        <td>${key.tenant_id === null ? t("keys.everything") : (tenant?.name ?? key.tenant_id)}</td>
        <td>${key.scopes.length === SCOPES.length ? t("keys.all") : this.#scopes(key)}</td>
        <td>${dayAndTime(key.created_at)}</td>
        <td>${key.expires_at === null ? t("keys.never") : dayAndTime(key.expires_at)}</td>
        <td class="end">
          ${
            key.revoked_at
              ? t("keys.revoked", { time: dayAndTime(key.revoked_at) })
              : html`<button class="button small" aria-label=${`${t("keys.revoke")}: ${key.name}`} @click=${() => this.#revoke(key)}>
                  ${t(this.doomed === key.id ? "keys.sure" : "keys.revoke")}
                </button>`
          }
        </td>
      </tr>
    `;
  }
}

function isOver({ expires_at }: Key): boolean {
  return expires_at !== null && Date.parse(expires_at) <= Date.now();
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-keys-page": KeysPage;
  }
}
