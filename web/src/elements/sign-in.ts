/**
 * Asks who is there: a name and a password, or an API key. What is typed goes to the page as an event, and nowhere else.
 */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { Localized, t } from "../i18n/words.js";
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
        font-size: 16px;
        font-weight: 400;
      }
      input[name="key"] {
        direction: ltr;
        font-family: var(--_mono);
      }
      .refused {
        padding: 12px 14px;
        border-radius: var(--_radius);
        background: var(--_bad-soft);
        color: var(--_ink);
      }
    `,
  ];

  /** Why the last try was refused. */
  @property() refusal: string | null = null;
  /** What people call the identity provider. Null: there is none. */
  @property() provider: string | null = null;

  @state() private byName = false;
  @query("form") private form!: HTMLFormElement;
  @query("input") private first!: HTMLInputElement;

  constructor() {
    super();
    new Localized(this);
  }

  #submit(event: SubmitEvent) {
    event.preventDefault();
    const given = new FormData(this.form);
    const text = (name: string) => String(given.get(name) ?? "").trim();
    const detail = this.byName ? { name: text("name"), password: String(given.get("password") ?? "") } : { key: text("key") };
    if ("key" in detail && detail.key === "") {
      this.first.focus();
      return;
    }
    this.form.reset();
    this.dispatchEvent(new CustomEvent("sign-in", { detail }));
  }

  protected override render() {
    return html`
      <main><form @submit=${this.#submit}>
        <h1>${t("sign.title")}</h1>
        ${this.refusal ? html`<p class="refused" role="alert">${this.refusal}</p>` : nothing}
        ${this.byName ? this.#person() : this.#key()}
        <button class="button primary">${t("sign.in")}</button>
        ${this.provider === null ? nothing : html`
          <a class="button" href="/api/session/oidc">${t("sign.withProvider", { name: this.provider })}</a>
        `}
        <button type="button" class="button quiet" @click=${() => (this.byName = !this.byName)}>
          ${t(this.byName ? "sign.withKey" : "sign.withName")}
        </button>
      </form></main>
    `;
  }

  #person() {
    return html`
      <label>${t("sign.name")}<input name="name" autocomplete="username" required autofocus /></label>
      <label>
        ${t("sign.password")}<input type="password" name="password" autocomplete="current-password" required />
      </label>
    `;
  }

  #key() {
    return html`
      <p>${t("sign.about")}</p>
      <label>
        ${t("sign.key")}
        <input type="password" name="key" placeholder="cs_…" autocomplete="off" spellcheck="false" autofocus />
      </label>
      <p>${t("sign.forgotten")}</p>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-sign-in": SignIn;
  }
}
