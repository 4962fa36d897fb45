/** On a phone a row of choices is wider than the window: the one that is chosen is brought into sight. */

import type { ReactiveController, ReactiveControllerHost } from "lit";

export class InSight implements ReactiveController {
  #shown: Element | null = null;

  constructor(
    private readonly host: ReactiveControllerHost & { renderRoot: HTMLElement | DocumentFragment },
    private readonly chosen: string,
  ) {
    host.addController(this);
  }

  /** Once for each choice: where somebody moves the row to afterwards it stays. */
  hostUpdated(): void {
    const chosen = this.host.renderRoot.querySelector(this.chosen);
    if (!chosen?.parentElement || chosen === this.#shown) return;
    this.#shown = chosen;
    const [its, all] = [chosen.getBoundingClientRect(), chosen.parentElement.getBoundingClientRect()];
    chosen.parentElement.scrollBy({ left: its.left + its.width / 2 - (all.left + all.width / 2) });
  }
}
