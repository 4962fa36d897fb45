/**
 * A figure that can be changed where it stands: a click turns it into a field, Enter keeps, Escape leaves.
 */

import { css, html } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import { locale, t } from "../i18n/words.js";
import { EditInPlace, inPlaceStyle } from "./edit-in-place.js";
import { theme } from "./theme.js";

@customElement("callspool-edit-number")
export class EditNumber extends EditInPlace<HTMLInputElement> {
  static override styles = [
    theme,
    inPlaceStyle,
    css`
      :host {
        width: 104px; /* as wide as while it is edited: its column keeps its width */
        text-align: end;
      }
      .value {
        font-variant-numeric: tabular-nums;
        text-align: inherit;
      }
      form {
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
  @property({ type: Number }) min = 0;
  @property({ type: Number }) max = 1_000_000;
  @property() step = "1";

  @query("input") protected override readonly field!: HTMLInputElement | null;

  #keep(event: SubmitEvent): void {
    event.preventDefault();
    const wanted = this.field?.valueAsNumber ?? Number.NaN;
    if (!Number.isNaN(wanted) && wanted !== this.value) {
      this.dispatchEvent(new CustomEvent<number>("number-set", { detail: wanted }));
    }
    void this.leave();
  }

  protected override render() {
    const said = this.value.toLocaleString(locale());
    if (!this.editing) {
      return html`
        <button class="value" aria-label=${t("edit.change", { label: this.label, value: said })} @click=${this.edit}>
          ${said}
        </button>
      `;
    }
    return html`
      <form @submit=${this.#keep} @keydown=${this.leaveOnEscape}>
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
