/**
 * A recording's state as a word with a mark. The word carries the meaning; shape and colour only help.
 */

import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { State } from "../api/client.js";
import { Localized, t } from "../i18n/words.js";
import { theme } from "./theme.js";

@customElement("callspool-state-badge")
export class StateBadge extends LitElement {
  static override styles = [
    theme,
    css`
      :host {
        display: inline-flex;
        align-items: center;
        gap: 8px;
        color: var(--_mark);
        font-size: 13px;
        font-weight: 600;
        white-space: nowrap;
        --_mark: var(--_muted);
      }
      :host([state="ready"]) {
        --_mark: var(--_good);
      }
      :host([state="failed"]) {
        --_mark: var(--_bad);
      }
      :host([state="fetching"]) {
        --_mark: var(--_accent);
      }
      :host([state="queued"]) {
        --_mark: var(--_wait);
      }
      i {
        width: 9px;
        height: 9px;
        border: 2px solid currentColor;
        border-radius: 50%;
      }
      :host([state="ready"]) i,
      :host([state="failed"]) i,
      :host([state="fetching"]) i {
        background: currentColor;
      }
      :host([state="failed"]) i {
        border-radius: 2px;
      }
      :host([state="fetching"]) i {
        animation: beat 1.6s ease-in-out infinite;
      }
      @keyframes beat {
        50% {
          opacity: 0.3;
        }
      }
      @media (prefers-reduced-motion: reduce) {
        :host([state="fetching"]) i {
          animation: none;
        }
      }
    `,
  ];

  @property({ reflect: true }) state: State = "announced";

  constructor() {
    super();
    new Localized(this);
  }

  protected override render() {
    return html`<i aria-hidden="true"></i>${t(`state.${this.state}`)}`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-state-badge": StateBadge;
  }
}
