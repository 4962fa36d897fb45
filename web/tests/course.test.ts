import { describe, expect, test } from "vitest";
import { addressOf, jump, nextLoop, placeIn } from "../player/src/course.js";
import { audible, balance } from "../player/src/mixer.js";

describe("playing", () => {
  test("goes past a silence, leaving a little of it", () => {
    const silences: [number, number][] = [[10, 15], [20, 20.6]];
    expect(jump(9.9, null, silences)).toBeNull();
    expect(jump(10.1, null, silences)).toBeNull();
    expect(jump(10.3, null, silences)).toBe(14.75);
    expect(jump(14.6, null, silences)).toBeNull();
    expect(jump(20.3, null, silences)).toBeNull();
  });

  test("goes round a loop, also past a silence at its end", () => {
    const loop = { from: 5, to: 12 };
    expect(jump(11.9, loop, [])).toBeNull();
    expect(jump(12.05, loop, [])).toBe(5);
    expect(jump(10.5, loop, [[10, 20]])).toBe(5);
    expect(jump(30, { from: 5, to: null }, [])).toBeNull();
  });
});

test("three presses make a loop and end it; its ends may be set in either order", () => {
  const start = nextLoop(null, 8);
  expect(start).toEqual({ from: 8, to: null });
  expect(nextLoop(start, 8.1)).toEqual(start);
  expect(nextLoop(start, 3)).toEqual({ from: 3, to: 8 });
  expect(nextLoop({ from: 3, to: 8 }, 5)).toBeNull();
});

describe("a link to a moment", () => {
  test("leads back to it", () => {
    const url = addressOf("https://crm.example/call#tab=2&key=cs_secret", "rec_1", { position: 83.456, loop: null });
    expect(url).toBe("https://crm.example/call#t=83.5&tab=2&recording=rec_1");
    expect(placeIn(new URL(url).hash, "rec_1")).toEqual({ position: 83.5, loop: null });
    expect(placeIn(new URL(url).hash, "rec_2")).toBeNull();
  });

  test("can name a loop", () => {
    const url = addressOf("https://crm.example/", null, { position: 9, loop: { from: 8, to: 12.25 } });
    expect(placeIn(new URL(url).hash, "rec_1")).toEqual({ position: 8, loop: { from: 8, to: 12.3 } });
  });

  test.each([["#t=1:02:03.5", 3723.5], ["#t=90", 90], ["#t=-4", null], ["#t=soon", null], ["#x=1", null], ["", null]])(
    "%s is read as %s",
    (fragment, seconds) => {
      expect(placeIn(fragment, "rec_1")?.position ?? null).toBe(seconds);
    },
  );
});

test("a channel that is heard alone is heard on both sides", () => {
  const lanes = [{ muted: false, solo: false }, { muted: false, solo: false }];
  expect(balance(audible(lanes))).toEqual([[1, 0], [0, 1]]);
  expect(balance(audible([lanes[0]!, { muted: false, solo: true }]))).toEqual([[0, 0], [1, 1]]);
  expect(balance(audible([{ muted: true, solo: false }, lanes[1]!]))).toEqual([[0, 0], [1, 1]]);
  expect(audible([{ muted: true, solo: true }, lanes[1]!])).toEqual([false, false]);
});
