/**
 * What a player has a screen reader say: each state as it comes, and within a state each sentence that was not there
 * before, once. Figures that move are said with their state and not at each step.
 */

import { type Said, type Subject, beside, told } from "./said.js";
import { type PlayerState, isPlayable } from "./situation.js";

export class Announcer {
  /** What the live region has in it. */
  text = "";

  #state: PlayerState | null = null;
  #lang = "";
  /** What is to be seen now. */
  #shown: ReadonlySet<string> = new Set();
  /** What of it was said last, within the state. */
  #last: readonly string[] = [];

  /** Begins anew, with another recording. */
  forget(): void {
    this.#state = null;
    this.#shown = new Set();
    this.#last = [];
  }

  /** Takes in what is to be seen now; returns whether the state is another one. */
  hear(subject: Subject): boolean {
    const { title, said } = told(subject);
    const known = this.#shown;
    const isFirst = this.#state === null || this.#state === "loading";
    const isOther = subject.state !== this.#state;
    const isTranslated = subject.words.lang !== this.#lang;
    const fresh = (all: readonly Said[]) =>
      all.filter(({ text, moves }) => !moves && !known.has(text)).map(({ text }) => text);
    const ofState = said.map(({ text }) => text);
    const notes = beside(subject);
    this.#shown = new Set([...said, ...notes].map(({ text }) => text));
    this.#state = subject.state;
    this.#lang = subject.words.lang;
    if (isOther || isTranslated) this.#last = [];
    if (isOther) {
      const all = new Set([`${title}.`, ...ofState, ...fresh(notes)]);
      // What is there when the page opens is read where it stands; only what happens then is announced.
      this.text = isFirst && isPlayable(subject.state) ? "" : [...all].join(" ");
    } else if (isTranslated) {
      this.text = ""; // nothing happened, and what was said is in the other language
    } else {
      this.#more([...new Set(fresh([...said, ...notes]))]);
    }
    return isOther;
  }

  #more(fresh: readonly string[]): void {
    // What went and comes back, as a link that is copied twice, is said again only where it was taken out meanwhile.
    if (fresh.length === 0 && this.#last.every((text) => this.#shown.has(text))) return;
    this.#last = fresh;
    this.text = fresh.join(" ");
  }
}
