import { beforeEach, expect, test } from "vitest";
import { OtherKey } from "../player/src/other-key.js";

const settled = () => new Promise((resolve) => setTimeout(resolve));

let waits: { ms: number; end: () => void }[];
let asked: number;
let key: string | null | Error;
let given: (() => Promise<string | null>) | null;
let other: OtherKey;
let signal: AbortSignal;

/** As a page does that makes the function anew each time it draws. */
const draw = () => {
  given = async () => {
    asked += 1;
    if (key instanceof Error) throw key;
    return key;
  };
};
const look = () => other.comes(() => given, () => "old", signal);

beforeEach(() => {
  waits = [];
  asked = 0;
  key = "old";
  given = null;
  signal = new AbortController().signal;
  const wait = (ms: number) => new Promise<void>((end) => waits.push({ ms, end }));
  other = new OtherKey({ wait, random: () => 1 });
});

test("a function that gave the refused key is not asked again", async () => {
  draw();
  other.used(given);
  expect(await look()).toBe(false);
  expect(asked).toBe(0);
});

test("a new function is asked at once, then ever more rarely; the last one is never forgotten", async () => {
  draw();
  expect(await look()).toBe(false);
  for (let round = 0; round < 8; round += 1) {
    draw();
    const looking = look();
    for (let time = 0; time < 50; time += 1) {
      draw();
      expect(await look()).toBe(false);
    }
    waits.at(-1)?.end();
    expect(await looking).toBe(false);
  }
  expect(asked).toBe(9);
  expect(waits.map(({ ms }) => ms)).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  draw();
  key = "new";
  const looking = look();
  waits.at(-1)?.end();
  expect(await looking).toBe(true);
});

test("after a key that was good, or a press, the next function is asked at once", async () => {
  draw();
  await look();
  other.forget();
  draw();
  expect(await look()).toBe(false);
  expect([asked, waits.length]).toEqual([2, 0]);
});

test("no answer is no other key", async () => {
  key = new Error("the page's own server is away");
  draw();
  expect(await look()).toBe(false);
});

test("a function that never answers holds up nothing but its own connection", async () => {
  given = () => new Promise(() => undefined);
  void look();
  await settled();
  draw();
  expect(await look()).toBe(false);
  signal = new AbortController().signal;
  key = "new";
  other.forget();
  draw();
  expect(await look()).toBe(true);
});
