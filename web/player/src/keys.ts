/** Which key does what. Letters go by their place on the keyboard, so that they work in every script. */

export type Command =
  | "toggle"
  | "back"
  | "forward"
  | "far-back"
  | "far-forward"
  | "start"
  | "end"
  | "ten-back"
  | "ten-forward"
  | "faster"
  | "slower"
  | "loop"
  | "skip";

const ON_SLIDER: Readonly<Record<string, Command>> = {
  // The timeline runs from left to right in every language, and its keys with it.
  ArrowLeft: "back",
  ArrowDown: "back",
  ArrowRight: "forward",
  ArrowUp: "forward",
  PageDown: "far-back",
  PageUp: "far-forward",
  Home: "start",
  End: "end",
  Enter: "toggle",
};
const ANYWHERE: Readonly<Record<string, Command>> = {
  Space: "toggle",
  KeyK: "toggle",
  KeyJ: "ten-back",
  KeyL: "ten-forward",
  KeyB: "loop",
  KeyS: "skip",
  Comma: "slower",
  Period: "faster",
};

/** Returns what a key means, by where the focus is; null: it is not ours. */
export function commandOf(event: Pick<KeyboardEvent, "key" | "code" | "altKey" | "ctrlKey" | "metaKey" | "shiftKey">, focus: Element | null): Command | null {
  if (event.altKey || event.ctrlKey || event.metaKey) return null;
  const isSlider = focus?.getAttribute("role") === "slider";
  const ofSlider = isSlider && !event.shiftKey ? ON_SLIDER[event.key] : undefined;
  if (ofSlider) return ofSlider;
  const takesText = focus?.tagName === "SELECT" || focus?.tagName === "INPUT";
  if (takesText || (event.shiftKey && !["Comma", "Period"].includes(event.code))) return null;
  if (event.code === "Space" && focus?.tagName === "BUTTON") return null; // it presses the button
  return ANYWHERE[event.code] ?? null;
}
