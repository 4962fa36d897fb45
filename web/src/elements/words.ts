/**
 * How things are said: states, durations and times, the same in every element.
 */

import type { Recording } from "../api/client.js";
import { arabic } from "../../player/src/words/ar.js";
import { hebrew } from "../../player/src/words/he.js";
import { type Language, language, locale } from "../i18n/words.js";

/** Returns `1:05` or `1:01:05`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Returns a date and a time in the reader's own zone and language. */
export function dayAndTime(iso: string): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
}

export function timeOfDay(iso: string): string {
  return new Intl.DateTimeFormat(locale(), { timeStyle: "medium" }).format(new Date(iso));
}

/** When the call was, as far as is known. */
export function moment(recording: Pick<Recording, "started_at" | "created_at">): string {
  return recording.started_at ?? recording.created_at;
}

const REASONS: Partial<Record<Language, Readonly<Record<string, string>>>> = { he: hebrew.reasons, ar: arabic.reasons };

/** Returns the reason's sentence in the reader's language, or else as the server said it. */
export function reasonSentence(reason: string | null, sentence: string | null): string {
  return REASONS[language()]?.[reason ?? ""] ?? sentence ?? reason ?? "";
}

/** A figure, or a dash where it is not known. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : value.toLocaleString(locale());
}

/** How many a minute. */
export function rate(value: number): string {
  const perMinute = { style: "unit", unit: "minute", unitDisplay: "short" } as const;
  const unit = new Intl.NumberFormat(locale(), perMinute).formatToParts(1).find(({ type }) => type === "unit")?.value ?? "min";
  return `${value.toLocaleString(locale(), { maximumFractionDigits: value < 10 ? 1 : 0 })}/${unit}`;
}

const UNITS: readonly (readonly [number, string])[] = [
  [86_400, "day"],
  [3_600, "hour"],
  [60, "minute"],
];

/** Returns a span of time in its largest unit: `3 min`, `2 hr`. */
export function span(seconds: number): string {
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [1, "second"];
  const value = seconds / size;
  return new Intl.NumberFormat(locale(), {
    style: "unit",
    unit,
    unitDisplay: "short",
    maximumFractionDigits: value < 10 && unit !== "second" ? 1 : value < 1 ? 2 : 0,
  }).format(value);
}

/** Returns how long ago something was at the moment *at*. */
export function ago(iso: string, at: string): string {
  return span(Math.max(0, (Date.parse(at) - Date.parse(iso)) / 1000));
}

export function bytes(size: number): string {
  const [value, unit] = size < 1e6 ? [size / 1e3, "kilobyte"] : [size / 1e6, "megabyte"];
  return new Intl.NumberFormat(locale(), { style: "unit", unit, maximumFractionDigits: 1 }).format(value);
}

/** The date that many days ago, as a date field wants it. */
export function daysAgo(days: number): string {
  return new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
}
