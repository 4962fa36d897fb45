/**
 * The web pages that may use a tenant's API and audio, changed where they stand: a click turns them into a field.
 * What is no origin is the server's to refuse.
 */

import { css, html } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import { t } from "../i18n/words.js";
import { EditInPlace, inPlaceStyle } from "./edit-in-place.js";
import { theme } from "./theme.js";

@customElement("callspool-edit-origins")
export class EditOrigins extends EditInPlace<HTMLTextAreaElement> {
  static override styles = [
    theme,
    inPlaceStyle,
    css`
      :host {
        min-width: 104px;
      }
      .value {
        text-align: start;
      }
      form {
        gap: 8px;
        align-items: start;
      }
      textarea {
        width: 260px;
        height: 66px;
        padding: 8px 10px;
        border: 1px solid var(--_control);
        border-radius: 8px;
        background: var(--_ground);
        font-family: var(--_mono);
        font-size: 13px;
        direction: ltr;
      }
    `,
  ];

  @property({ attribute: false }) value: readonly string[] = [];

  @query("textarea") protected override readonly field!: HTMLTextAreaElement | null;

  #keep(event: SubmitEvent): void {
    event.preventDefault();
    const wanted = (this.field?.value ?? "").split(/[\s,]+/).filter((one) => one !== "");
    if (wanted.join("\n") !== this.value.join("\n")) {
      this.dispatchEvent(new CustomEvent<string[]>("origins-set", { detail: wanted }));
    }
    void this.leave();
  }

  protected override render() {
    if (!this.editing) {
      const said = this.value.length ? t("origins.own", { n: this.value.length }) : t("origins.all");
      return html`
        <button
          class="value"
          title=${this.value.join("\n")}
          aria-label=${t("edit.change", { label: this.label, value: said })}
          @click=${this.edit}
        >
          ${said}
        </button>
      `;
    }
    return html`
      <form @submit=${this.#keep} @keydown=${this.leaveOnEscape}>
        <textarea
          aria-label=${this.label}
          placeholder="https://crm.example"
          title=${t("origins.about")}
          spellcheck="false"
          .value=${this.value.join("\n")}
        ></textarea>
        <button class="button primary">${t("edit.keep")}</button>
      </form>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-edit-origins": EditOrigins;
  }
}
