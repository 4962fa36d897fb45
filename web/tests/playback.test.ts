import { expect, test } from "vitest";
import type { Client, Sound } from "../src/api/client.js";
import { Problem } from "../src/api/problem.js";
import { Playback } from "../src/pages/playback.js";

/** A playback of recording `a`, a server that counts what it is asked, and answers that the test holds back. */
function scene(sound: Sound = { kind: "audio", type: "audio/wav" }) {
  const asked: string[] = [];
  let release = () => undefined as void;
  let held: Promise<void> = Promise.resolve();
  const answer = async <T>(name: string, value: T): Promise<T> => {
    asked.push(name);
    await held;
    return value;
  };
  const learned: unknown[] = [];
  const known = { id: "a", state: "queued", version: 2 } as const;
  const client = {
    playback: (id: string) => answer("playback", { url: `/${id}/${asked.length}`, expires_at: "" }),
    inspect: () => answer("inspect", sound),
    hasten: () => answer("hasten", known),
    retry: () => answer("retry", known),
    cancel: () => answer("cancel", known),
  } as unknown as Client;
  const playback = new Playback(client, () => undefined, (known) => void learned.push(known));
  playback.select("a");
  const hold = () => {
    held = new Promise((resolve) => (release = resolve));
  };
  return { playback, client, asked, learned, hold, release: () => release() };
}

test("many clicks while one is answered are one request", async () => {
  const { playback, asked, hold, release } = scene();
  hold();
  const first = playback.retry();
  await Promise.all([playback.retry(), playback.link(), playback.cancel()]);
  release();
  await first;
  expect(asked).toEqual(["retry"]);
  expect(playback.busy).toBe(false);
});

test("a link that ran out is renewed once until sound has come out of the new one", async () => {
  const { playback, asked } = scene({ kind: "link_void" });
  await playback.link();
  await playback.failed();
  expect(playback.source).toBe("/a/2");
  await playback.failed();
  expect(asked.filter((name) => name === "playback").length).toBe(2);
  expect(playback.problem).toContain("does not accept its own link");
  playback.played();
  await playback.failed();
  expect(asked.filter((name) => name === "playback").length).toBe(3);
});

test("what is not audio is told and not asked for again", async () => {
  const { playback, asked } = scene({ kind: "not_audio", type: "text/html" });
  await playback.link();
  await playback.failed();
  expect(asked).toEqual(["playback", "inspect"]);
  expect(playback.problem).toContain("text/html");
});

test("an answer that comes after another recording was chosen changes nothing", async () => {
  const { playback, hold, release } = scene();
  hold();
  const link = playback.link();
  playback.select("b");
  release();
  await link;
  expect(playback.source).toBeNull();
  expect(playback.busy).toBe(false);
});

test("a refusal becomes its sentence", async () => {
  const { playback, client } = scene();
  client.playback = () => Promise.reject(new Problem("purged", "It was deleted.", 410));
  await playback.link();
  expect(playback.problem).toBe("It was deleted.");
  expect(playback.source).toBeNull();
});
