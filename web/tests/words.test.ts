import { describe, expect, test } from "vitest";
import type { Recording } from "../src/api/client.js";
import { Words, clock } from "../player/src/words.js";
import { arabic } from "../player/src/words/ar.js";
import { en, english } from "../player/src/words/en.js";
import { hebrew } from "../player/src/words/he.js";

const gaps = (text: unknown) => [...new Set(JSON.stringify(text).match(/\{\w+\}/g) ?? [])].sort();

describe.each([["Hebrew", hebrew], ["Arabic", arabic]])("the %s catalogue", (_, catalogue) => {
  test("says everything that the English one does, with the same gaps", () => {
    for (const [name, text] of Object.entries(en)) {
      const translated = catalogue.texts[name as keyof typeof en];
      expect([name, gaps(translated)]).toEqual([name, gaps(text)]);
      expect(JSON.stringify(translated)).toMatch(/[\u0590-\u06ff]/);
    }
  });

  test("names every obstacle, with the same gaps", () => {
    for (const [code, text] of Object.entries(english.obstacles)) {
      const translated = catalogue.obstacles[code as keyof typeof english.obstacles];
      expect([code, gaps(translated)]).toEqual([code, gaps(text)]);
      expect(translated.replace(/\{\w+\}/g, "")).not.toMatch(/[A-Za-z]/);
    }
  });

  test("says what to do about every reason", () => {
    const reasons = Object.keys(hebrew.reasons);
    expect(Object.keys(catalogue.reasons)).toEqual(reasons);
  });
});

test("a count has the language's own plural", () => {
  expect(new Words("en").say("ahead", { n: 1 })).toBe("One recording is before it.");
  expect(new Words("en").say("ahead", { n: 3 })).toBe("3 recordings are before it.");
  expect(new Words("he").say("ahead", { n: 2 })).toBe("שתי הקלטות לפניה.");
  expect(new Words("ar").say("ahead", { n: 3 })).toContain("تسجيلات");
  expect(new Words("ar").say("ahead", { n: 11 })).toContain("تسجيلًا");
});

test("a language that is not there is English; direction goes with the language", () => {
  expect([new Words("fr").lang, new Words("fr").dir]).toEqual(["en", "ltr"]);
  expect([new Words("iw-IL").lang, new Words("he").dir, new Words("ar-EG").dir]).toEqual(["he", "rtl", "rtl"]);
  expect(new Words("no such!").say("play")).toBe("Play");
});

test("the pseudo-locale marks and lengthens what is translated, and leaves the gaps", () => {
  const said = new Words("en-XA").say("ofTotal", { position: "1", total: "2" });
  expect(said).toMatch(/^\[1 .* 2 .*\]$/);
  expect(said).not.toContain("of");
});

test("a reason is said in the reader's language, one that is not known as the server says it", () => {
  const failed = (reason: string) => ({ reason, sentence: "As the server says." }) as unknown as Recording;
  expect(new Words("he").reason(failed("gone"))).toContain("הספק");
  expect(new Words("he").reason(failed("quite_new"))).toBe("As the server says.");
  expect(new Words("en").reason(failed("gone"))).toBe("As the server says.");
});

test("a time is said as a voice says it, and shown in figures that keep their width", () => {
  expect(new Words("en").spoken(0)).toBe("0 seconds");
  expect(new Words("en").spoken(3_661)).toBe("1 hour 1 minute 1 second");
  expect(new Words("he").spoken(62)).toContain("דקה");
  expect([clock(5, 59), clock(65, 700), clock(65, 4_000), clock(3_661)]).toEqual(["0:05", "01:05", "0:01:05", "1:01:01"]);
});
