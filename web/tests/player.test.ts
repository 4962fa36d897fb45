import { beforeEach, expect, test } from "vitest";
import type { Recording, State } from "../src/api/client.js";
import { Player } from "../src/elements/player.js";
import { duration, explain, spokenDuration } from "../src/elements/words.js";

let player: Player;
const asked: string[] = [];

beforeEach(() => {
  document.body.innerHTML = "";
  asked.length = 0;
  player = new Player();
  for (const name of ["link-wanted", "retry-wanted", "cancel-wanted"]) {
    player.addEventListener(name, () => asked.push(name));
  }
  document.body.append(player);
});

async function show(state: State, changes: Partial<Recording> = {}): Promise<ShadowRoot> {
  const empty = { id: "r", version: 1, sentence: null, reason: null, not_before: null, duration_s: null };
  player.recording = { ...empty, content_type: null, state, ...changes } as unknown as Recording;
  await player.updateComplete;
  return player.shadowRoot as ShadowRoot;
}

test.each(["announced", "queued", "fetching", "failed", "cancelled", "absent", "purged"] as const)(
  "%s has words and no audio",
  async (state) => {
    const root = await show(state, { sentence: "Because of this." });
    expect(root.querySelector("audio")).toBeNull();
    expect(root.textContent).toContain(explain(player.recording as Recording));
    expect(asked).toEqual([]);
  },
);

test("ready has audio without a source, and asks for a link once it shall play", async () => {
  const root = await show("ready", { duration_s: 61 });
  const audio = root.querySelector("audio");
  expect(audio?.getAttribute("preload")).toBe("none");
  expect(audio?.hasAttribute("src")).toBe(false);
  expect(asked).toEqual([]);
  root.querySelector<HTMLButtonElement>(".toggle")?.click();
  expect(asked).toEqual(["link-wanted"]);
});

test("nothing more is asked for while an answer is on its way", async () => {
  const root = await show("failed");
  player.busy = true;
  await player.updateComplete;
  root.querySelector<HTMLButtonElement>("button")?.click();
  expect(asked).toEqual([]);
});

test("a type that the browser cannot play is told before anything is asked for", async () => {
  const root = await show("ready", { content_type: "audio/x-none" });
  const audio = root.querySelector("audio") as HTMLAudioElement;
  audio.canPlayType = () => "";
  player.play();
  await player.updateComplete;
  expect(asked).toEqual([]);
  expect(root.querySelector("[role=alert]")?.textContent).toContain("audio/x-none");
});

test("durations are said in figures and in words", () => {
  expect([duration(0), duration(65.9), duration(3_661)]).toEqual(["0:00", "1:05", "1:01:01"]);
  expect([spokenDuration(0), spokenDuration(61), spokenDuration(7_322)]).toEqual([
    "0 seconds",
    "1 minute 1 second",
    "2 hours 2 minutes 2 seconds",
  ]);
});
