import { expect, onTestFinished, test } from "vitest";
import type { LiveEvent } from "../src/api/client.js";
import type { Cause, Listener } from "../src/api/feed.js";
import { type Browser, type Lead, followTogether } from "../src/api/one-stream.js";
import { Problem } from "../src/api/problem.js";
import { browserRuntime } from "../src/api/runtime.js";
import { SharedFeed, connect } from "../src/api/shared-feed.js";

const settled = () => new Promise((resolve) => setTimeout(resolve));
const event = (seq: number) => ({ seq }) as LiveEvent;

/** One browser: a lock that goes from tab to tab, and channels on which everything said is heard by the others. */
function browser(): Browser & { lose: boolean } {
  const queue: { run: () => void }[] = [];
  let held: { reject: (reason: unknown) => void } | null = null;
  const channels = new Set<{ onmessage: ((event: MessageEvent) => void) | null }>();
  const next = () => {
    held = null;
    queue.shift()?.run();
  };
  const request = (_: string, options: LockOptions, work: () => Promise<unknown>) =>
    new Promise((resolve, reject) => {
      const waiting = {
        run: () => {
          const holder = { reject };
          held = holder;
          const done = () => held === holder && next();
          work().then((value) => (done(), resolve(value)), (error: unknown) => (done(), reject(error)));
        },
      };
      const steals = options.steal === true;
      if (steals) held?.reject(new DOMException("stolen", "AbortError"));
      options.signal?.addEventListener("abort", () => {
        const at = queue.indexOf(waiting);
        if (at < 0) return;
        queue.splice(at, 1);
        reject(options.signal?.reason);
      });
      if (steals || held === null) waiting.run();
      else queue.push(waiting);
    });
  const one = {
    lose: false,
    locks: { request: request as unknown as LockManager["request"] },
    channel: () => {
      const channel = {
        onmessage: null as ((event: MessageEvent) => void) | null,
        postMessage: (data: unknown) => {
          if (one.lose) return;
          for (const other of channels) if (other !== channel) other.onmessage?.({ data: structuredClone(data) } as MessageEvent);
        },
        close: () => void channels.delete(channel),
      };
      channels.add(channel);
      return channel;
    },
  };
  return one;
}

/** A tab; `silence` ends the waiting for a leader that says nothing. */
function tab(of: Browser, streams: (string | null)[]) {
  const heard: (number | Cause | string)[] = [];
  const stop = new AbortController();
  const waits: { ms: number; end: () => void }[] = [];
  let server: Listener | null = null;
  const lead: Lead = (listener, after, signal) => {
    streams.push(after);
    server = listener;
    listener.connection("live", null);
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
  };
  const runtime = {
    wait: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        waits.push({ ms, end: resolve });
        signal?.addEventListener("abort", () => reject(signal.reason));
      }),
  };
  const listener: Listener = {
    event: (live) => void heard.push(live.seq),
    refresh: async (cause) => void heard.push(cause),
    connection: (state, problem) => void heard.push(problem ? `${state} ${problem.code}` : state),
  };
  void followTogether("name", of, runtime, lead, listener, stop.signal);
  return { heard, stop, server: () => server as unknown as Listener, silence: () => waits.forEach(({ ms, end }) => ms > 60_000 && end()) };
}

test("one tab listens to the server, and all of them hear it", async () => {
  const streams: (string | null)[] = [];
  const shared = browser();
  const [first, second] = [tab(shared, streams), tab(shared, streams)];
  await settled();
  first.server().event(event(7));
  first.server().connection("polling", new Problem("unavailable", "away", 503));
  await settled();
  expect(streams).toEqual([null]);
  expect(first.heard).toEqual(["live", 7, "polling unavailable"]);
  expect(second.heard).toEqual(["opened", "live", 7, "polling unavailable"]);
});

test("when the tab that listens closes, the next one goes on from the last number that was heard", async () => {
  const streams: (string | null)[] = [];
  const shared = browser();
  const [first, second, third] = [tab(shared, streams), tab(shared, streams), tab(shared, streams)];
  await settled();
  first.server().event(event(7));
  first.stop.abort();
  await settled();
  expect(streams).toEqual([null, "7"]);
  second.server().event(event(8));
  expect(third.heard).toContain("gap");
  expect(third.heard.at(-1)).toBe(8);
});

test("a message that was lost between tabs is noticed", async () => {
  const shared = browser();
  const [first, second] = [tab(shared, []), tab(shared, [])];
  await settled();
  first.server().event(event(7));
  shared.lose = true;
  first.server().event(event(8));
  shared.lose = false;
  first.server().event(event(9));
  expect(second.heard.slice(-3)).toEqual([7, "gap", 9]);
});

test("a tab that holds the lock and says nothing loses it", async () => {
  const streams: (string | null)[] = [];
  const shared = browser();
  const [first, second] = [tab(shared, streams), tab(shared, streams)];
  await settled();
  first.server().event(event(7));
  second.silence(); // it heard something meanwhile
  await settled();
  expect(streams.length).toBe(1);
  second.silence();
  await settled();
  await settled();
  expect(streams).toEqual([null, "7"]);
});

test("a page's listeners share one stream, and it ends with the last of them", async () => {
  let running = 0;
  const feed = new SharedFeed(
    (listener, signal) =>
      new Promise((resolve) => {
        running += 1;
        listener.connection("live", null);
        signal.addEventListener("abort", () => ((running -= 1), resolve()));
      }),
  );
  const heard: string[] = [];
  const listener = (name: string): Listener => ({
    event: () => undefined,
    refresh: async (cause) => void heard.push(`${name} ${cause}`),
    connection: (state) => void heard.push(`${name} ${state}`),
  });
  const [a, b] = [new AbortController(), new AbortController()];
  feed.listen(listener("a"), a.signal);
  feed.listen(listener("b"), b.signal);
  expect(heard).toEqual(["a live", "b live", "b opened"]);
  expect(running).toBe(1);
  a.abort();
  expect(running).toBe(1);
  b.abort();
  expect(running).toBe(0);
});

test("a page keeps a connection while somebody listens, and finds it again by its key's text", async () => {
  const stop = [new AbortController(), new AbortController(), new AbortController()] as const;
  onTestFinished(() => stop.forEach((one) => one.abort()));
  const runtime = { ...browserRuntime, fetch: () => new Promise<Response>(() => undefined) };
  const open = (key: string) => connect("https://calls.example", () => key, runtime);
  const kept = () => (globalThis as Record<symbol, unknown[]>)[Symbol.for("callspool.connections")]?.length;
  const first = await open("one");
  first.feed.listen({}, stop[0].signal);
  expect(await open("one")).toBe(first);
  first.feed.listen({}, stop[1].signal);
  for (const key of ["two", "three", "four"]) {
    const gone = new AbortController();
    (await open(key)).feed.listen({}, gone.signal);
    gone.abort();
  }
  expect(kept()).toBe(1);
  stop[0].abort();
  expect(await open("one")).toBe(first);
  stop[1].abort();
  expect(kept()).toBe(0);
  first.feed.listen({}, stop[2].signal); // whoever got it before it was dropped may listen later
  expect(await open("one")).toBe(first);
  stop[2].abort();
  expect(kept()).toBe(0);
});
