/**
 * What the tenants' slots do now: those with work first, the idle ones counted.
 */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Tenant } from "../api/client.js";
import { theme } from "./theme.js";

const MOST_SHOWN = 12;
const MOST_DOTS = 10;

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
        grid-template-columns: repeat(auto-fill, minmax(180px, 1fr));
        gap: 12px;
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: grid;
        gap: 6px;
        padding: 14px 16px;
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
        height: 12px;
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
      .rest {
        margin: 10px 2px 0;
        color: var(--_muted);
        font-size: 13px;
      }
    `,
  ];

  @property({ attribute: false }) tenants: readonly Tenant[] = [];

  protected override render() {
    const busy = (tenant: Tenant) => (tenant.running ?? 0) + (tenant.waiting ?? 0);
    const sorted = [...this.tenants].sort(
      (a, b) => Number(busy(b) > 0) - Number(busy(a) > 0) || a.name.localeCompare(b.name),
    );
    const shown = sorted.slice(0, MOST_SHOWN);
    return html`
      <ul aria-label="Tenants">
        ${repeat(shown, (tenant) => tenant.id, (tenant) => this.#tenant(tenant))}
      </ul>
      ${sorted.length > shown.length ? html`<p class="rest">and ${sorted.length - shown.length} more</p>` : nothing}
    `;
  }

  #tenant(tenant: Tenant) {
    const used = tenant.running ?? 0;
    const dots = Array.from({ length: Math.min(tenant.slots, MOST_DOTS) });
    return html`
      <li>
        <span class="name" title=${tenant.id}>${tenant.name}</span>
        <span class="dots" aria-hidden="true">
          ${dots.map((_, index) => html`<i class=${index < used ? "used" : ""}></i>`)}
        </span>
        <span class="figures">${this.#figures(tenant)}</span>
      </li>
    `;
  }

  #figures(tenant: Tenant): string {
    if (tenant.running === null) return "The scheduler does not answer";
    const slots = `${tenant.running} of ${tenant.slots} slots`;
    if (tenant.paused) return `${slots} · paused`;
    return tenant.waiting ? `${slots} · ${tenant.waiting} waiting` : slots;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-tenant-strip": TenantStrip;
  }
}
