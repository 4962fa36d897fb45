/**
 * What the player says, in the reader's language: its texts, times, and durations as a voice would say them.
 */

import type { Waiting } from "../../src/api/client.js";
import { arabic } from "./words/ar.js";
import { type Catalogue, type Name, type Text, english } from "./words/en.js";
import { hebrew } from "./words/he.js";

export type { Name } from "./words/en.js";

const CATALOGUES: Readonly<Record<string, Catalogue>> = { en: english, he: hebrew, ar: arabic };
const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(["he", "ar"]);
/** The pseudo-locale: English that looks foreign and is longer, to find what is not translated and what does not fit. */
const PSEUDO = "en-xa";
const ACCENTS: Readonly<Record<string, string>> = Object.fromEntries(
  [..."aceinouyACEINOUY"].map((letter, index) => [letter, [..."åçéîñöûýÅÇÉÎÑÖÛÝ"][index] ?? letter]),
);

export class Words {
  readonly lang: string;
  readonly dir: "ltr" | "rtl";

  #catalogue: Catalogue;
  #plural: Intl.PluralRules;
  #locale: string;
  #isPseudo: boolean;

  constructor(wanted: string) {
    const lower = wanted.toLowerCase();
    const base = lower.split("-")[0] ?? "";
    const language = base === "iw" ? "he" : base; // what older Android and Java say for Hebrew
    this.#isPseudo = lower === PSEUDO;
    this.lang = CATALOGUES[language] ? language : "en";
    this.#locale = this.lang === language && !this.#isPseudo && isLocale(wanted) ? withRegion(wanted) : this.lang;
    this.dir = RIGHT_TO_LEFT.has(this.lang) ? "rtl" : "ltr";
    this.#catalogue = CATALOGUES[this.lang] ?? english;
    this.#plural = new Intl.PluralRules(this.#locale);
  }

  /** Returns the text of that name, its `{gaps}` filled. */
  say(name: Name, gaps: Readonly<Record<string, string | number>> = {}): string {
    const found: Text = this.#catalogue.texts[name];
    const form = typeof found === "string" ? found : (found[this.#plural.select(Number(gaps["n"]))] ?? found.other);
    return this.#filled(form, gaps);
  }

  /** Returns what keeps a recording from being fetched now; null: nothing does, or a newer server says what. */
  obstacle(found: Waiting["obstacle"]): string | null {
    const form = found ? (this.#catalogue.obstacles as Readonly<Record<string, string>>)[found.code] : undefined;
    if (!found || form === undefined) return null;
    const { account, tenant, until, held, limit, set_limit } = found;
    const gaps = { account: apart(account), tenant: apart(tenant), until: until ? this.timeOfDay(until) : "" };
    return this.#filled(form, { ...gaps, held: held ?? "", limit: limit ?? "", set_limit: set_limit ?? "" });
  }

  /** Returns how many of the tenant's own are before it. */
  place(ahead: number): string {
    return ahead === 0 ? this.say("next") : this.say("ahead", { n: ahead });
  }

  #filled(form: string, gaps: Readonly<Record<string, string | number>>): string {
    const said = this.#isPseudo ? pseudo(form) : form;
    return said.replace(/\{(\w+)\}/g, (whole, gap: string) => {
      const value = gaps[gap];
      return value === undefined ? whole : typeof value === "number" ? value.toLocaleString(this.#locale) : value;
    });
  }

  /** Returns why a fetch failed and what to do about it; null if nothing is known. */
  reason(recording: { readonly reason: string | null; readonly sentence: string | null }): string | null {
    const known = recording.reason ? (this.#catalogue.reasons as Readonly<Record<string, string>>)[recording.reason] : undefined;
    return known ?? recording.sentence;
  }

  percent(share: number): string {
    return new Intl.NumberFormat(this.#locale, { style: "percent", maximumFractionDigits: 0 }).format(share);
  }

  rate(rate: number): string {
    return `${rate.toLocaleString(this.#locale, { maximumFractionDigits: 2 })}×`;
  }

  dayAndTime(iso: string): string {
    return new Intl.DateTimeFormat(this.#locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
  }

  timeOfDay(iso: string): string {
    return new Intl.DateTimeFormat(this.#locale, { timeStyle: "medium" }).format(new Date(iso));
  }

  /** Returns a duration as a voice says it: `1 minute 5 seconds`. */
  spoken(seconds: number): string {
    const whole = Math.max(0, Math.floor(seconds));
    const parts: [number, string][] = [
      [Math.floor(whole / 3600), "hour"],
      [Math.floor(whole / 60) % 60, "minute"],
      [whole % 60, "second"],
    ];
    const said = parts.filter(([n, unit]) => n > 0 || (unit === "second" && whole === 0));
    return said
      .map(([n, unit]) => new Intl.NumberFormat(this.#locale, { style: "unit", unit, unitDisplay: "long" }).format(n))
      .join(" ");
  }
}

/** Returns `1:05` or `1:01:05`, with as many places as `longest` needs: a timer that grows would move its neighbours. */
export function clock(seconds: number, longest: number = seconds): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  if (longest >= 3600 || h > 0) return `${h}:${two(m)}:${two(s)}`;
  return longest >= 600 ? `${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function pseudo(text: string): string {
  const foreign = text.replace(/\{\w+\}|[a-zA-Z]/g, (found) => ACCENTS[found] ?? found);
  const words = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
  return `[${[foreign, ...words.slice(0, Math.ceil(text.length / 14))].join(" ")}]`;
}

/** A name in a sentence that is read the other way keeps its own direction. */
function apart(name: string | null): string {
  return name === null ? "" : `\u2068${name}\u2069`;
}

/** A page often names only its language; how dates are written is the reader's own country's. */
function withRegion(wanted: string): string {
  if (wanted.includes("-")) return wanted;
  return globalThis.navigator?.languages?.find((own) => own.startsWith(`${wanted}-`) && isLocale(own)) ?? wanted;
}

/** Without a locale of its system a browser says `en-US@posix`, at which `Intl` throws. */
function isLocale(text: string): boolean {
  try {
    return Intl.NumberFormat.supportedLocalesOf(text).length > 0;
  } catch {
    return false;
  }
}
