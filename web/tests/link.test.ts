import { afterEach, beforeEach, expect, test } from "vitest";
import type { Client } from "../src/api/client.js";
import { Problem } from "../src/api/problem.js";
import { Link } from "../player/src/link.js";

const WAVEFORM = { version: 2, channels: 1, sample_rate: 8, samples_per_pixel: 8, bits: 8, length: 2, data: [-1, 1, -9, 9] };
const NOT_READY = new Problem("not_ready", "On its way.", 409, 2_000);
const settled = () => new Promise((resolve) => setTimeout(resolve));

let link: Link;
let server: Problem | typeof WAVEFORM;
let asked: number;
let told: string[];
let fresh: string | null;
let waits: { ms: number; end: () => void }[];

beforeEach(() => {
  server = NOT_READY;
  asked = 0;
  told = [];
  fresh = null;
  waits = [];
  const client = {
    waveformOf: async () => {
      asked += 1;
      if (server instanceof Problem) throw server;
      return server;
    },
    inspect: async () => ({ kind: "coming", retryAfterMs: 2_000 }),
  } as unknown as Client;
  const wait = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((end, fail) => {
      waits.push({ ms, end });
      signal?.addEventListener("abort", () => fail(signal.reason), { once: true });
    });
  const runtime = { wait, random: () => 1, now: () => 0, fetch };
  link = new Link("/api/recordings/r/audio?token=1", client, runtime, {
    changed: () => undefined,
    fresh: async () => fresh,
    whole: () => told.push("whole"),
    again: (goesOn) => told.push(goesOn ? "again" : "rest"),
  });
});

afterEach(() => link.stop());

test("what is on its way stays so while it is asked for, until it is there", async () => {
  expect(await link.prepare()).toBe(true);
  const seen: (string | undefined)[] = [];
  for (let time = 0; time < 3; time += 1) {
    await link.interrupted();
    seen.push(link.problem?.code);
    link.wake(); // as a press on play does
    seen.push(link.problem?.code);
  }
  expect(new Set(seen)).toEqual(new Set(["not_ready"]));
  server = WAVEFORM;
  await link.interrupted();
  expect([link.problem, link.isComing, link.peaks?.seconds]).toEqual([null, false, 2]);
  expect(told).toEqual(["whole"]);
});

test("a link that ran out before it was used is renewed once", async () => {
  await settled();
  server = new Problem("link_expired", "It has run out.", 403);
  await link.look();
  expect([link.problem?.code, asked]).toEqual(["link_expired", 2]);
  fresh = "/api/recordings/r/audio?token=2";
  link.wake();
  await link.look();
  expect([link.url, link.problem?.code, asked]).toEqual([fresh, "link_expired", 4]);
  await link.look();
  expect(asked).toBe(5);
  server = WAVEFORM;
  await link.look();
  expect([link.problem, link.peaks?.seconds]).toEqual([null, 2]);
});

test("a page that can give links from now on is asked for one, and the old one is not used again", async () => {
  await settled();
  server = new Problem("link_expired", "It has run out.", 403);
  await link.look();
  expect([link.problem?.code, asked]).toEqual(["link_expired", 2]);
  link.renew();
  await settled();
  expect([link.problem?.code, asked]).toEqual(["link_expired", 2]);
  fresh = "/api/recordings/r/audio?token=2";
  server = WAVEFORM;
  link.renew();
  await settled();
  expect(link.problem?.code).toBe("link_expired"); // once, until somebody presses play
  link.wake();
  link.renew();
  expect(link.renewing).toBe(true);
  await settled();
  expect([link.url, link.problem, asked, told]).toEqual([fresh, null, 3, ["whole"]]);
  expect(link.renewing).toBe(false);
});

test("it is asked five times, ever later and never before Retry-After; then it rests until somebody asks again", async () => {
  await settled();
  for (let time = 0; time < 5; time += 1) {
    await link.interrupted();
    waits.at(-1)?.end();
    await settled();
  }
  const delays = waits.map(({ ms }) => ms);
  expect(delays).toEqual([4_000, 6_000, 10_000, 18_000, 34_000]);
  expect(told).toEqual(Array(5).fill("again"));
  await link.interrupted();
  expect(told.at(-1)).toBe("rest");
  expect([waits.length, link.problem?.code]).toEqual([5, "not_ready"]);
  link.wake();
  await link.interrupted();
  expect(waits.length).toBe(6);
});

test("what plays while it comes is looked at a few times, until it is whole", async () => {
  await settled();
  const watching = link.watch();
  for (let time = 0; time < 2; time += 1) {
    waits.at(-1)?.end();
    await settled();
  }
  expect([told, asked]).toEqual([[], 3]);
  server = WAVEFORM;
  waits.at(-1)?.end();
  await watching;
  expect([told, asked, waits.length]).toEqual([["whole"], 4, 3]);
});

test("who pauses is not played to later", async () => {
  await link.interrupted();
  link.rest();
  waits.at(-1)?.end();
  await settled();
  expect(told).toEqual([]);
});

test("the sound's own word that it is not there yet counts like the waveform's", async () => {
  expect(link.fail(new Problem("coming", "", 202, 3_000))).toBe(true);
  expect([link.isComing, link.problem?.code, waits.at(-1)?.ms]).toEqual([true, "coming", 5_000]);
  expect(await link.inspect(link.url)).toEqual({ kind: "coming", retryAfterMs: 2_000 });
});

test("what came meanwhile is played, what failed is told, and nothing more is asked", async () => {
  await settled();
  server = WAVEFORM;
  expect(await link.prepare()).toBe(false);
  server = new Problem("needs_retry", "It was given up.", 409, null, "truncated");
  await link.interrupted();
  expect([link.problem?.code, link.problem?.reason, told.at(-1)]).toEqual(["needs_retry", "truncated", "rest"]);
  expect([waits.length, asked]).toEqual([0, 3]);
});

test("a server that is away is offline, is asked again, and what comes is still on its way", async () => {
  await settled();
  server = new Problem("unreachable", "", 0);
  await link.interrupted();
  expect([link.problem?.code, link.isComing, waits.length]).toEqual(["unreachable", true, 1]);
  expect(await link.prepare()).toBeNull();
  link.wake();
  expect(link.problem?.code).toBe("not_ready");
});

test("a page that gives one void link after the other is not asked about without end", async () => {
  await settled();
  server = new Problem("link_expired", "It has run out.", 403);
  for (let number = 2; number < 20; number += 1) {
    link.replace(`/api/recordings/r/audio?token=${number}`);
    await settled();
  }
  expect(asked).toBe(1 + 5);
});
