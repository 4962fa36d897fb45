/**
 * A value that can be changed where it stands: a click turns it into a field, Escape leaves it as it was.
 */

import { LitElement, css } from "lit";
import { property, state } from "lit/decorators.js";
import { Localized } from "../i18n/words.js";

/** The look of the value while it is not edited. */
export const inPlaceStyle = css`
  :host {
    display: inline-block;
  }
  .value {
    min-width: 44px;
    min-height: 44px;
    padding: 0 10px;
    border: 1px dashed transparent;
    border-radius: 8px;
    background: none;
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
  }
`;

/** `Field` is what it is typed into; the value stands in `.value`. */
export abstract class EditInPlace<Field extends HTMLInputElement | HTMLTextAreaElement> extends LitElement {
  @property() label = "";

  @state() protected editing = false;

  protected abstract readonly field: Field | null;

  constructor() {
    super();
    new Localized(this);
  }

  protected readonly edit = async (): Promise<void> => {
    this.editing = true;
    await this.updateComplete;
    this.field?.select();
  };

  protected async leave(): Promise<void> {
    this.editing = false;
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(".value")?.focus();
  }

  protected readonly leaveOnEscape = (event: KeyboardEvent): void => {
    if (event.key === "Escape") void this.leave();
  };
}
