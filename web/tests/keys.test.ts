import { expect, test } from "vitest";
import { commandOf } from "../player/src/keys.js";

const press = (key: string, code: string, more: object = {}) => ({
  key,
  code,
  altKey: false,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  ...more,
});
const focused = (tag: string, role?: string) => {
  const element = document.createElement(tag);
  if (role) element.setAttribute("role", role);
  return element;
};
const slider = focused("div", "slider");

test("arrows, pages, Home and End move along the timeline, from left to right in every language", () => {
  const keys = ["ArrowLeft", "ArrowRight", "PageDown", "PageUp", "Home", "End"];
  const meant = ["back", "forward", "far-back", "far-forward", "start", "end"];
  expect(keys.map((key) => commandOf(press(key, key), slider))).toEqual(meant);
  expect(commandOf(press("ArrowLeft", "ArrowLeft"), focused("button"))).toBeNull();
});

test("letters go by their place, so that they work on a Hebrew keyboard", () => {
  expect(commandOf(press("ל", "KeyK"), slider)).toBe("toggle");
  expect(commandOf(press("ח", "KeyJ"), focused("button"))).toBe("ten-back");
});

test("the browser's own keys and fields stay the browser's", () => {
  expect(commandOf(press("l", "KeyL", { ctrlKey: true }), slider)).toBeNull();
  expect(commandOf(press("s", "KeyS"), focused("select"))).toBeNull();
  expect(commandOf(press(" ", "Space"), focused("button"))).toBeNull();
  expect(commandOf(press(" ", "Space"), slider)).toBe("toggle");
  expect(commandOf(press(">", "Period", { shiftKey: true }), slider)).toBe("faster");
});
