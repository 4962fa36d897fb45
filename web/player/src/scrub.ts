/** Turns a pointer on the timeline into places: what it points at, where it drags to, and where it lets go. */

export class Scrub {
  /** Where a drag stands; null: none is under way. */
  position: number | null = null;
  /** What the pointer points at. */
  pointed: number | null = null;
  /** The same as a share of the timeline's width. */
  share: number | null = null;

  constructor(
    private readonly seconds: () => number,
    private readonly seek: (to: number) => void,
    private readonly changed: () => void,
  ) {}

  readonly down = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    this.#point(event);
    this.position = this.pointed;
    this.changed();
  };

  readonly move = (event: PointerEvent): void => {
    this.#point(event);
    if (this.position !== null) this.position = this.pointed;
    this.changed();
  };

  readonly up = (event: PointerEvent): void => {
    if (this.position === null) return;
    this.#point(event);
    const to = this.pointed;
    this.position = null;
    if (event.pointerType !== "mouse") this.#forget();
    if (to !== null) this.seek(to);
  };

  readonly cancel = (): void => {
    this.position = null;
    this.#forget();
    this.changed();
  };

  readonly leave = (): void => {
    if (this.position !== null) return;
    this.#forget();
    this.changed();
  };

  /** The timeline is gone, and a drag with it. */
  drop(): void {
    this.position = null;
    this.#forget();
  }

  #point(event: PointerEvent): void {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    if (!(box.width > 0) || !(this.seconds() > 0)) return;
    // From left to right in every language.
    this.share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    this.pointed = this.share * this.seconds();
  }

  #forget(): void {
    this.pointed = this.share = null;
  }
}
