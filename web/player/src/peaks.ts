/**
 * The waveform that the server made: audiowaveform's JSON, version 2, with the silences of each channel.
 */

export type Span = readonly [from: number, to: number];

export interface Peaks {
  seconds: number;
  /** For each channel the loudness of each pixel, from 0 to 1. */
  levels: readonly Float32Array[];
  /** For each channel the spans in which it is silent. */
  silences: readonly (readonly Span[])[];
}

/** Reads the document; null if it is not one. */
export function readPeaks(document: unknown): Peaks | null {
  const given = document as Record<string, unknown> | null;
  if (typeof given !== "object" || given === null || given["version"] !== 2 || !Array.isArray(given["data"])) return null;
  const [channels, length] = [Number(given["channels"]), Number(given["length"])];
  const seconds = (length * Number(given["samples_per_pixel"])) / Number(given["sample_rate"]);
  const data = given["data"] as number[];
  if (!(channels >= 1 && length >= 1 && seconds > 0 && data.length >= 2 * channels * length)) return null;
  const most = 2 ** (Number(given["bits"]) - 1);
  const levels = Array.from({ length: channels }, (_, channel) => {
    const level = (pixel: number) => {
      const at = 2 * (pixel * channels + channel);
      return Math.max(Math.abs(data[at] ?? 0), Math.abs(data[at + 1] ?? 0)) / most;
    };
    return Float32Array.from({ length }, (_, pixel) => level(pixel));
  });
  const silences = Array.isArray(given["silences"]) ? (given["silences"] as Span[][]) : [];
  return { seconds, levels, silences: levels.map((_, channel) => silences[channel] ?? []) };
}

/** Returns that many bars, each the loudest of its pixels. */
export function bars(levels: Float32Array, count: number): Float32Array {
  const each = levels.length / count;
  return Float32Array.from({ length: count }, (_, bar) => {
    const from = Math.floor(bar * each);
    const to = Math.max(from + 1, Math.floor((bar + 1) * each));
    let loudest = 0;
    for (let pixel = from; pixel < to; pixel += 1) loudest = Math.max(loudest, levels[pixel] ?? 0);
    return loudest;
  });
}

/** Returns by what to multiply, so that a quiet call can be seen too. */
export function gain(levels: readonly Float32Array[]): number {
  let loudest = 0;
  for (const channel of levels) for (const level of channel) loudest = Math.max(loudest, level);
  return 1 / Math.max(loudest, 0.12);
}

/** Returns the spans in which all of these channels are silent. */
export function commonSilences(silences: readonly (readonly Span[])[]): Span[] {
  return silences.reduce<Span[]>(
    (common, channel) =>
      common.flatMap(([from, to]) =>
        channel
          .filter(([a, b]) => a < to && b > from)
          .map(([a, b]): Span => [Math.max(a, from), Math.min(b, to)]),
      ),
    silences.length ? [[0, Number.MAX_VALUE]] : [],
  );
}
