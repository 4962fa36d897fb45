/**
 * A figure that can be changed where it stands: a click turns it into a field, Enter keeps, Escape leaves.
 */

import { LitElement, css, html } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { Localized, locale, t } from "../i18n/words.js";
import { theme } from "./theme.js";

@customElement("callspool-edit-number")
export class EditNumber extends LitElement {
  static override styles = [
    theme,
    css`
      :host {
        display: inline-block;
        width: 104px; /* as wide as while it is edited: its column keeps its width */
        text-align: end;
      }
      .value {
        min-width: 44px;
        min-height: 44px;
        padding: 0 10px;
        border: 1px dashed transparent;
        border-radius: 8px;
        background: none;
        font-variant-numeric: tabular-nums;
        text-align: inherit;
        text-decoration: underline dotted var(--_control);
        text-underline-offset: 4px;
        cursor: pointer;
      }
      .value:hover {
        border-color: var(--_control);
        background: var(--_raised);
      }
      form {
        display: inline-flex;
        gap: 4px;
      }
      input {
        width: 56px;
        min-width: 0;
        height: 44px;
        padding: 0 10px;
        border: 1px solid var(--_control);
        border-radius: 8px;
        background: var(--_ground);
        font-variant-numeric: tabular-nums;
      }
      .button {
        flex: none;
        width: 44px;
        padding: 0;
      }
      svg {
        width: 18px;
        height: 18px;
        fill: none;
        stroke: currentColor;
        stroke-width: 2.5;
        stroke-linecap: round;
        stroke-linejoin: round;
      }
    `,
  ];

  @property({ type: Number }) value = 0;
  @property() label = "";
  @property({ type: Number }) min = 0;
  @property({ type: Number }) max = 1_000_000;
  @property() step = "1";

  @state() private editing = false;
  @query("input") private field!: HTMLInputElement | null;
  @query(".value") private shown!: HTMLElement | null;

  constructor() {
    super();
    new Localized(this);
  }

  async #edit(): Promise<void> {
    this.editing = true;
    await this.updateComplete;
    this.field?.select();
  }

  async #leave(): Promise<void> {
    this.editing = false;
    await this.updateComplete;
    this.shown?.focus();
  }

  #keep(event: SubmitEvent): void {
    event.preventDefault();
    const wanted = this.field?.valueAsNumber ?? Number.NaN;
    if (!Number.isNaN(wanted) && wanted !== this.value) {
      this.dispatchEvent(new CustomEvent<number>("number-set", { detail: wanted }));
    }
    void this.#leave();
  }

  protected override render() {
    const said = this.value.toLocaleString(locale());
    if (!this.editing) {
      return html`
        <button class="value" aria-label=${t("edit.change", { label: this.label, value: said })} @click=${this.#edit}>
          ${said}
        </button>
      `;
    }
    return html`
      <form @submit=${this.#keep} @keydown=${(event: KeyboardEvent) => event.key === "Escape" && this.#leave()}>
        <input
          type="number"
          required
          aria-label=${this.label}
          min=${this.min}
          max=${this.max}
          step=${this.step}
          .valueAsNumber=${this.value}
        />
        <button class="button primary" aria-label=${t("edit.keep")} title=${t("edit.keep")}>
          <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M5 13l5 5L19 7" /></svg>
        </button>
      </form>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-edit-number": EditNumber;
  }
}
