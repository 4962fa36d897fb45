import { describe, expect, test } from "vitest";
import type { Client, LiveEvent, Recording } from "../src/api/client.js";
import { Problem } from "../src/api/problem.js";
import { type Connected, SharedFeed } from "../src/api/shared-feed.js";
import type { Listener } from "../src/api/feed.js";
import { Track } from "../player/src/track.js";

const at = (version: number, state: string, changes: object = {}) =>
  ({ id: "r", tenant_id: "t", version, state, reason: null, ...changes }) as unknown as Recording;
const event = (recording: Recording) => ({ seq: recording.version, recording }) as unknown as LiveEvent;
const settled = () => new Promise((resolve) => setTimeout(resolve));

/** A track of recording `r`, a server that counts what it is asked, and a feed in the test's hands. */
function scene(first: Recording | Problem) {
  const asked: string[] = [];
  const server = { now: first as Recording | Problem };
  const answer = async <T>(name: string, value: () => T): Promise<T> => {
    asked.push(name);
    if (server.now instanceof Problem) throw server.now;
    return value();
  };
  const client = {
    recording: () => answer("read", () => server.now),
    why: () => answer("why", () => ({ id: "r", ahead: 2, received: 40, expected: 100, state: (server.now as Recording).state })),
    waveform: () => answer("waveform", () => null),
    hasten: () => answer("hasten", () => ({ state: "queued", version: 2, audio_url: "/sound" })),
    retry: () => answer("retry", () => ({ state: "queued", version: 9 })),
  } as unknown as Client;
  let feed: Listener | null = null;
  const shared = new SharedFeed(async (listener) => void (feed = listener));
  const waits: { ms: number; end: () => void }[] = [];
  const runtime = { wait: (ms: number) => new Promise<void>((end) => waits.push({ ms, end })), random: () => 1 };
  const track = new Track("r", { client, feed: shared } as Connected, runtime, () => undefined);
  track.start();
  return { track, asked, server, waits, feed: feed as unknown as Listener };
}

describe("a recording", () => {
  test("is read when the stream is open and kept up to date by events alone", async () => {
    const { track, asked, feed } = scene(at(1, "fetching"));
    await feed.refresh("opened");
    feed.event(event(at(2, "ready")));
    await settled();
    expect(track.recording?.state).toBe("ready");
    expect(asked).toEqual(["read", "waveform"]);
  });

  test("never goes back to an older state", async () => {
    const { track, feed } = scene(at(5, "ready"));
    await feed.refresh("opened");
    feed.event(event(at(4, "fetching")));
    expect(track.recording?.version).toBe(5);
  });

  test("takes an older state from a server that was restored from a backup", async () => {
    const { track, server, feed } = scene(at(5, "ready"));
    await feed.refresh("opened");
    server.now = at(3, "fetching");
    await feed.refresh("restored");
    expect(track.recording?.version).toBe(3);
  });

  test("that is settled is not asked for in polls; after a gap it is", async () => {
    const { asked, feed } = scene(at(5, "failed"));
    await feed.refresh("opened");
    await feed.refresh("poll");
    await feed.refresh("poll");
    expect(asked).toEqual(["read"]);
    await feed.refresh("gap");
    expect(asked).toEqual(["read", "read"]);
  });

  test("that is not there does not end the stream of the others; a server that is away slows its polls", async () => {
    const { track, server, feed } = scene(new Problem("not_found", "", 404));
    await feed.refresh("poll");
    expect(track.problem?.code).toBe("not_found");
    server.now = new Problem("unavailable", "", 503, 4_000);
    await expect(feed.refresh("poll")).rejects.toMatchObject({ retryAfterMs: 4_000 });
  });

  test("is read again when the connection is back", async () => {
    const { track, server, feed } = scene(new Problem("unreachable", "", 0));
    await feed.refresh("opened");
    expect(track.problem?.code).toBe("unreachable");
    server.now = at(1, "ready");
    feed.connection("live", null);
    await settled();
    expect([track.recording?.state, track.problem]).toEqual(["ready", null]);
  });
});

test("many clicks while one is answered are one request", async () => {
  const { track, asked, feed } = scene(at(8, "failed"));
  await feed.refresh("opened");
  await Promise.all([track.retry(), track.retry(), track.hasten()]);
  expect(asked.filter((name) => name !== "read")).toEqual(["retry", "why"]);
  expect(track.recording?.state).toBe("queued");
});

test("a refusal becomes a problem and leaves the recording as it is", async () => {
  const { track, server, feed } = scene(at(8, "failed"));
  await feed.refresh("opened");
  server.now = new Problem("conflict", "It moved on.", 409);
  expect(await track.hasten()).toBeNull();
  expect([track.recording?.state, track.problem?.code, track.busy]).toEqual(["failed", "conflict", false]);
});

test("how much of a download is here is asked for while events come, ever less often, and not without them", async () => {
  const { track, asked, waits, server, feed } = scene(at(1, "fetching"));
  await feed.refresh("opened");
  waits.splice(0, 1); // the read's own patience
  const look = async () => {
    waits.at(-1)?.end();
    await settled();
  };
  await look();
  expect(asked).toEqual(["read"]);
  feed.connection("live", null);
  await look();
  expect([asked, track.waiting?.received, track.waiting?.expected]).toEqual([["read", "why"], 40, 100]);
  await look();
  expect(waits.map(({ ms }) => ms)).toEqual([1_000, 1_500, 2_250, 3_375]);
  server.now = at(2, "ready");
  feed.event(event(server.now as Recording));
  await look();
  await look();
  expect(asked.filter((name) => name === "why")).toHaveLength(2);
  expect([track.waiting, waits.length]).toEqual([null, 4]);
});

test("what did not get through while the stream was open is tried again by itself, a few times", async () => {
  const { track, asked, waits, server, feed } = scene(at(1, "ready"));
  await feed.refresh("opened");
  feed.connection("live", null);
  waits.splice(0);
  server.now = new Problem("unreachable", "", 0);
  expect(await track.hasten()).toBeNull();
  for (let time = 0; time < 7; time += 1) {
    waits.at(-1)?.end();
    await settled();
  }
  expect(waits.map(({ ms }) => ms)).toEqual([2_000, 4_000, 8_000, 16_000, 32_000]);
  expect(track.problem?.code).toBe("unreachable");
  await track.hasten();
  server.now = at(1, "ready");
  waits.at(-1)?.end();
  await settled();
  expect([track.problem, asked.at(-1)]).toEqual([null, "read"]);
});
