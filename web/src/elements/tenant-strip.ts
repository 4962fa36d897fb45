/**
 * What the tenants' slots do now.
 */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Tenant } from "../api/client.js";
import { Localized, t } from "../i18n/words.js";
import { theme } from "./theme.js";
import { count } from "./words.js";

const MOST_SHOWN = 12;
const MOST_DOTS = 10;

/** Says whether a tenant has anything to show here, or nobody knows. */
export function hasWork({ running, waiting }: Tenant): boolean {
  return running === null || running + (waiting ?? 0) > 0;
}

@customElement("callspool-tenant-strip")
export class TenantStrip extends LitElement {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }
      ul {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(160px, 1fr));
        gap: 12px;
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: grid;
        gap: 4px;
        padding: 12px 16px 14px;
        border: 1px solid var(--_line);
        border-radius: var(--_radius);
        background: var(--_surface);
      }
      .name {
        overflow: hidden;
        font-weight: 600;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .dots {
        display: flex;
        gap: 5px;
        align-items: center;
        height: 16px;
      }
      .dots i {
        flex: 0 1 26px;
        height: 6px;
        border-radius: 3px;
        background: var(--_line);
      }
      .dots i.used {
        background: var(--_accent);
      }
      .figures {
        color: var(--_muted);
        font-size: 13px;
        font-variant-numeric: tabular-nums;
      }
      .figures span {
        display: block;
      }
      @media (max-width: 720px) {
        ul {
          grid-template-columns: none;
          grid-auto-flow: column;
          grid-auto-columns: 148px;
          margin: 0 -16px;
          padding: 4px 16px;
          overflow-x: auto;
          scrollbar-width: none;
        }
      }
      .rest {
        margin: 10px 2px 0;
        color: var(--_muted);
        font-size: 13px;
      }
    `,
  ];

  @property({ attribute: false }) tenants: readonly Tenant[] = [];

  constructor() {
    super();
    new Localized(this);
  }

  protected override render() {
    const byName = [...this.tenants].sort((a, b) => a.name.localeCompare(b.name));
    // Who has no work says nothing here: the page of now has everybody.
    const fitting = byName.filter(hasWork);
    const shown = fitting.slice(0, MOST_SHOWN);
    return html`
      <ul aria-label=${t("now.tenants")} tabindex="0">
        ${repeat(shown, (tenant) => tenant.id, (tenant) => this.#tenant(tenant))}
      </ul>
      ${fitting.length > shown.length ? html`<p class="rest">${t("strip.rest", { n: fitting.length - shown.length })}</p>` : nothing}
    `;
  }

  #tenant(tenant: Tenant) {
    const used = tenant.running ?? 0;
    const dots = Array.from({ length: Math.min(tenant.slots, MOST_DOTS) });
    return html`
      <li>
        <span class="name" title=${tenant.id}><bdi>${tenant.name}</bdi></span>
        <span class="dots" aria-hidden="true">
          ${dots.map((_, index) => html`<i class=${index < used ? "used" : ""}></i>`)}
        </span>
        <span class="figures">${this.#figures(tenant).map((figure) => html`<span>${figure}</span>`)}</span>
      </li>
    `;
  }

  #figures(tenant: Tenant): [string, string] {
    if (tenant.running === null) return [t("strip.away"), "–"];
    const waiting = tenant.waiting ? t("strip.waiting", { n: tenant.waiting }) : t("strip.noneWaiting");
    const used = t("strip.used", { running: count(tenant.running), slots: count(tenant.slots) });
    return [used, tenant.paused ? `${t("paused")}, ${waiting}` : waiting];
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-tenant-strip": TenantStrip;
  }
}
