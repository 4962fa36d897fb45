/**
 * Draws the timeline: a lane for each channel, what was played, the place, the loop and the silences that are
 * skipped. `WaveView` is all that the player needs of a drawing; docs/adr/0007 says why this one is ours.
 */

import type { Loop } from "./course.js";
import { type Peaks, type Span, bars, gain } from "./peaks.js";

export interface Picture {
  peaks: Peaks | null;
  lanes: number;
  /** Which lanes are heard. */
  heard: readonly boolean[];
  seconds: number;
  position: number;
  /** Up to where it is loaded; 0: it does not matter, since it can be had from anywhere. */
  loaded: number;
  loop: Loop | null;
  skipped: readonly Span[];
}

export interface WaveView {
  draw(picture: Picture): void;
  /** The colours or the size of pixels may have changed. */
  restyle(): void;
}

const BAR = 2;
const GAP = 1;
/** Of a lane's height. */
const FILL = 0.82;

interface Colours {
  rest: string;
  played: string;
  faint: string;
  head: string;
  loop: string;
}

export class WaveCanvas implements WaveView {
  #colours: Colours | null = null;
  #bars: { of: Peaks; count: number; levels: Float32Array[] } | null = null;

  constructor(private readonly canvas: HTMLCanvasElement) {}

  restyle(): void {
    this.#colours = null;
  }

  draw(picture: Picture): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const context = width > 0 && height > 0 ? this.canvas.getContext("2d") : null;
    if (!context) return;
    const scale = globalThis.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const x = (seconds: number) => (picture.seconds > 0 ? (Math.min(seconds, picture.seconds) / picture.seconds) * width : 0);
    this.#regions(context, picture, x, height);
    this.#lanes(context, picture, x(picture.position), width, height);
    context.fillStyle = this.#look().head;
    context.fillRect(Math.min(Math.max(0, x(picture.position) - 1), width - 2), 0, 2, height);
  }

  #regions(context: CanvasRenderingContext2D, picture: Picture, x: (seconds: number) => number, height: number): void {
    const look = this.#look();
    context.globalAlpha = 0.5;
    context.fillStyle = look.faint;
    for (const [from, to] of picture.skipped) context.fillRect(x(from), 0, x(to) - x(from), height);
    const { loop } = picture;
    if (loop) {
      context.fillStyle = look.loop;
      context.globalAlpha = 0.18;
      if (loop.to !== null) context.fillRect(x(loop.from), 0, x(loop.to) - x(loop.from), height);
      context.globalAlpha = 1;
      for (const edge of [loop.from, loop.to]) if (edge !== null) context.fillRect(x(edge), 0, 1.5, height);
    }
    context.globalAlpha = 1;
  }

  #lanes(context: CanvasRenderingContext2D, picture: Picture, played: number, width: number, height: number): void {
    const look = this.#look();
    const laneHeight = height / picture.lanes;
    const count = Math.max(1, Math.floor((width + GAP) / (BAR + GAP)));
    const levels = picture.peaks ? this.#levels(picture.peaks, count) : [];
    const loaded = picture.loaded > 0 && picture.seconds > 0 ? (picture.loaded / picture.seconds) * width : width;
    for (let lane = 0; lane < picture.lanes; lane += 1) {
      const middle = (lane + 0.5) * laneHeight;
      context.globalAlpha = (picture.heard[lane] ?? true) ? 1 : 0.35;
      for (let bar = 0; bar < count; bar += 1) {
        const left = bar * (BAR + GAP);
        const tall = Math.max(BAR, (levels[lane]?.[bar] ?? 0) * laneHeight * FILL);
        context.fillStyle = left < played ? look.played : left <= loaded ? look.rest : look.faint;
        context.fillRect(left, middle - tall / 2, BAR, tall);
      }
    }
    context.globalAlpha = 1;
  }

  #levels(peaks: Peaks, count: number): Float32Array[] {
    if (this.#bars?.of !== peaks || this.#bars.count !== count) {
      const louder = gain(peaks.levels);
      const levels = peaks.levels.map((channel) => bars(channel, count).map((level) => level * louder));
      this.#bars = { of: peaks, count, levels };
    }
    return this.#bars.levels;
  }

  #look(): Colours {
    if (this.#colours) return this.#colours;
    const style = getComputedStyle(this.canvas);
    const colour = (name: string) => style.getPropertyValue(name).trim() || style.color;
    this.#colours = {
      rest: colour("--_wave"),
      played: colour("--_accent"),
      faint: colour("--_line"),
      head: colour("--_ink"),
      loop: colour("--_accent"),
    };
    return this.#colours;
  }
}
