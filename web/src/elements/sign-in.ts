/**
 * Asks for an API key. What is typed goes to the page as an event, and nowhere else.
 */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import { theme } from "./theme.js";

@customElement("callspool-sign-in")
export class SignIn extends LitElement {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
        max-width: 440px;
        margin: 12vh auto 0;
        padding: 0 16px;
      }
      form {
        display: grid;
        gap: 16px;
        padding: 32px;
        border: 1px solid var(--_line);
        border-radius: 14px;
        background: var(--_surface);
      }
      h1 {
        margin: 0;
        font-size: 20px;
        line-height: 1.25;
      }
      p {
        margin: 0;
        color: var(--_muted);
      }
      label {
        display: grid;
        gap: 6px;
        font-weight: 600;
      }
      input {
        width: 100%;
        height: 44px;
        padding: 0 12px;
        border: 1px solid var(--_control);
        border-radius: var(--_radius);
        background: var(--_ground);
        font-family: var(--_mono);
        font-size: 16px;
        font-weight: 400;
      }
      .refused {
        padding: 12px 14px;
        border-radius: var(--_radius);
        background: var(--_bad-soft);
        color: var(--_ink);
      }
      code {
        font-family: var(--_mono);
        font-size: 0.92em;
        white-space: nowrap;
      }
    `,
  ];

  /** Why the last key was not taken. */
  @property() refusal: string | null = null;

  @query("input") private field!: HTMLInputElement;

  #submit(event: SubmitEvent) {
    event.preventDefault();
    const key = this.field.value.trim();
    if (key === "") {
      this.field.focus();
      return;
    }
    this.field.value = "";
    this.dispatchEvent(new CustomEvent<string>("key-given", { detail: key }));
  }

  protected override render() {
    return html`
      <form @submit=${this.#submit}>
        <h1>Open your recordings</h1>
        <p>
          Paste an API key. <code>callspool up</code> prints the first one; <code>callspool keys add</code> makes more.
        </p>
        ${this.refusal ? html`<p class="refused" role="alert">${this.refusal}</p>` : nothing}
        <label>
          API key
          <input type="password" name="key" placeholder="cs_…" autocomplete="off" spellcheck="false" autofocus />
        </label>
        <button class="button primary">Open</button>
        <p>The key stays in this tab and is forgotten when you close it.</p>
      </form>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-sign-in": SignIn;
  }
}
