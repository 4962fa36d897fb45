/**
 * Says things in the reader's language. Each language is one file with the same keys as `en.ts`; the compiler
 * sees to it that none is missing.
 */

import type { ReactiveController, ReactiveControllerHost } from "lit";
import { ar } from "./ar.js";
import { en } from "./en.js";
import { he } from "./he.js";

/** What is said of a number depends on it: CLDR's plural categories. */
export type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };
export type Message = string | Plural;
export type Key = keyof typeof en;
export type Catalog = Readonly<Record<Key, Message>>;
export type Language = "en" | "he" | "ar" | "en-XA";
export type Values = Readonly<Record<string, string | number>>;

const CATALOGS: Readonly<Record<Exclude<Language, "en-XA">, Catalog>> = { en, he, ar };
const STORED = "callspool.language";
const CHANGED = "callspool-language";

/** Languages by what their readers call them. The pseudo-locale, `en-XA`, is for finding what nobody translated. */
export const LANGUAGES: readonly (readonly [Language, string])[] = [
  ["en", "English"],
  ["he", "עברית"],
  ["ar", "العربية"],
];

/** The language now: chosen in this browser, else the first of its own that there is, else English. */
export function language(): Language {
  const wanted = [localStorage.getItem(STORED) ?? "", ...navigator.languages];
  for (const tag of wanted) {
    const short = tag.toLowerCase().split("-")[0] ?? "";
    if (tag.toLowerCase() === "en-xa") return "en-XA";
    if (short in CATALOGS) return short as Language;
  }
  return "en";
}

export function choose(wanted: Language): void {
  localStorage.setItem(STORED, wanted);
  dress();
  window.dispatchEvent(new Event(CHANGED));
}

/** Tells the document which language it is in, and which way that is read. */
export function dress(): void {
  const now = language();
  document.documentElement.lang = now;
  document.documentElement.dir = now === "he" || now === "ar" ? "rtl" : "ltr";
}

/** Returns what is said under that key, with `{name}` replaced by the values. */
export function t(key: Key, values: Values = {}): string {
  const now = language();
  const message = CATALOGS[now === "en-XA" ? "en" : now][key];
  const text = typeof message === "string" ? message : plural(message, Number(values.n ?? 0), locale(now));
  const said = (now === "en-XA" ? accented(text) : text).replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return typeof value === "number" ? value.toLocaleString(locale(now)) : (value ?? whole);
  });
  return said;
}

/** The tag for `Intl`: digits stay Latin, as on the phones and bills that people compare with. */
export function locale(now: Language = language()): string | undefined {
  if (now === "en-XA") return "en-GB";
  if (now === "ar") return "ar-u-nu-latn";
  return now === "en" ? (navigator.languages.find((tag) => tag.startsWith("en")) ?? "en") : now;
}

function plural(message: Plural, n: number, tag: string | undefined): string {
  return message[new Intl.PluralRules(tag).select(n)] ?? message.other;
}

const ACCENTS: Readonly<Record<string, string>> = { a: "á", e: "é", i: "í", o: "ó", u: "ú", A: "Á", E: "É", O: "Ó" };

function accented(text: string): string {
  return `⟦${text.replace(/\{\w+\}|[aeiouAEO]/g, (part) => ACCENTS[part] ?? part)}⟧`;
}

/** Renders its element again when the reader chooses another language. */
export class Localized implements ReactiveController {
  readonly #again = () => this.host.requestUpdate();

  constructor(private readonly host: ReactiveControllerHost) {
    host.addController(this);
  }

  hostConnected(): void {
    window.addEventListener(CHANGED, this.#again);
  }

  hostDisconnected(): void {
    window.removeEventListener(CHANGED, this.#again);
  }
}
