/**
 * What has the focus in a player may go away, most often because it was pressed, as "Retry" is. Then the focus stays in
 * the player, on what takes its place: who goes by keyboard goes on from there. Nobody else loses it to the player.
 */

import type { LitElement, ReactiveController } from "lit";

/** What can take the place of anything, the best first: to play, what is said, that it loads. */
const PLACES = ".toggle, .text, .skeleton";

export class KeptFocus implements ReactiveController {
  #had: Element | null = null;
  /** Ends the time in which the element itself has it, while there is nothing to be seen of it. */
  #waits: (() => void) | null = null;

  constructor(private readonly host: LitElement) {
    host.addController(this);
  }

  hostUpdate(): void {
    this.#had = (this.host.renderRoot as ShadowRoot).activeElement;
  }

  hostUpdated(): void {
    const isLost = this.#had !== null && !this.#had.isConnected && document.activeElement === document.body;
    this.#had = null;
    if (!isLost && !this.#waits) return;
    const place = this.host.renderRoot.querySelector<HTMLElement>(PLACES);
    if (!place) return this.#wait();
    lend(place, () => place.focus({ preventScroll: true }));
    this.#waits?.(); // an element hears no blur where the focus goes into it
  }

  #wait(): void {
    if (this.#waits) return;
    // Its own focus() goes to the first control, of which there is none.
    const back = lend(this.host, () => HTMLElement.prototype.focus.call(this.host, { preventScroll: true }));
    this.#waits = () => {
      this.#waits = null;
      back();
    };
    this.host.addEventListener("blur", this.#waits, { once: true });
  }
}

/** Gives the focus to what may take none otherwise; returns what takes that back, as soon as the focus has gone on. */
function lend(to: HTMLElement, focus: () => void): () => void {
  const isOwn = to.tabIndex >= 0 || to.hasAttribute("tabindex");
  if (!isOwn) to.tabIndex = -1;
  const back = () => {
    if (!isOwn) to.removeAttribute("tabindex");
  };
  to.addEventListener("blur", back, { once: true });
  focus();
  return back;
}
