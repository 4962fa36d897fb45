import { describe, expect, test } from "vitest";
import { RecordingBook } from "../src/api/book.js";
import { Client, type Recording } from "../src/api/client.js";
import { FrameReader } from "../src/api/frames.js";
import { MOST_RETRY_AFTER_MS, Problem, readRetryAfter } from "../src/api/problem.js";
import type { Runtime } from "../src/api/runtime.js";

const NOW = Date.parse("2026-11-23T12:00:00Z");

/** A world whose server answers with these, in turn, and whose time stands still unless `passes`. */
function world(answers: (Response | Error)[], passes = false) {
  const requests: { url: string; init: RequestInit }[] = [];
  const runtime: Runtime = {
    fetch: async (url, init = {}) => {
      requests.push({ url, init });
      const answer = answers.shift();
      if (answer === undefined) return new Promise(() => undefined);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    wait: () => (passes ? Promise.resolve() : new Promise(() => undefined)),
    random: () => 0.5,
    now: () => NOW,
  };
  return { client: new Client("cs_key", runtime), requests, runtime };
}

const json = (body: unknown, init: ResponseInit = {}) => Response.json(body, init);
const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  json({ code, detail: `said ${code}` }, { status, headers: { "content-type": "application/problem+json", ...headers } });
const text = (type: string, body = "x") => new Response(body, { headers: { "content-type": type } });

describe("client", () => {
  test("sends the key in a header and never in an address", async () => {
    const { client, requests } = world([json({ recordings: [], next_cursor: null })]);
    await client.recordings({ states: ["ready", "failed"], cursor: "c 1" });
    expect(requests[0]?.url).toBe("/api/recordings?limit=50&state=ready&state=failed&cursor=c+1");
    expect(requests[0]?.init.headers).toMatchObject({ Authorization: "Bearer cs_key" });
  });

  test("asks for another key once when the one it has ran out", async () => {
    const keys = ["cs_old", "cs_new", "cs_new", "cs_new"];
    const given = [problem(401, "unauthenticated"), json({}), problem(401, "unauthenticated")];
    const { requests, runtime } = world(given);
    const client = new Client(async () => keys.shift() ?? null, runtime);
    await client.recording("r");
    expect(requests.map(({ init }) => new Headers(init.headers).get("Authorization"))).toEqual([
      "Bearer cs_old",
      "Bearer cs_new",
    ]);
    await expect(client.recording("r")).rejects.toMatchObject({ code: "unauthenticated" });
    expect(requests.length).toBe(3);
  });

  test("without a key sends none, because a cookie may say who asks", async () => {
    const { requests, runtime } = world([json({})]);
    await new Client(null, runtime).recording("r");
    expect(new Headers(requests[0]?.init.headers).has("Authorization")).toBe(false);
  });

  test("turns the API's problems into ours", async () => {
    const { client } = world([problem(409, "not_ready", { "retry-after": "2" })]);
    const error = await client.playback("r").catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "not_ready", sentence: "said not_ready", status: 409, retryAfterMs: 2_000 });
  });

  test("asks once and no more, whatever goes wrong", async () => {
    const { client, requests } = world([new TypeError("no network"), json({})]);
    await expect(client.retry("r")).rejects.toMatchObject({ code: "unreachable", status: 0 });
    expect(requests.length).toBe(1);
  });

  test("a web page is not taken for an answer", async () => {
    const { client } = world([text("text/html", "<html>")]);
    await expect(client.recordings({})).rejects.toMatchObject({ code: "unexpected" });
  });

  test("sees what a link really gives", async () => {
    const { client } = world([
      text("audio/wav"),
      text("text/html; charset=utf-8"),
      problem(403, "link_expired"),
      problem(403, "bad_link"),
      problem(410, "purged"),
    ]);
    expect(await client.inspect("/a")).toEqual({ kind: "audio", type: "audio/wav" });
    expect(await client.inspect("/a")).toEqual({ kind: "not_audio", type: "text/html" });
    expect(await client.inspect("/a")).toEqual({ kind: "link_void" });
    expect(await client.inspect("/a")).toEqual({ kind: "link_void" });
    await expect(client.inspect("/a")).rejects.toMatchObject({ code: "purged" });
  });

  test("takes nothing but an event stream for one", async () => {
    const { client } = world([text("text/html")]);
    await expect(client.events(null, new AbortController().signal)).rejects.toMatchObject({ code: "unexpected" });
  });

  test("gives the last number back and reads the frames", async () => {
    const { client, requests } = world([text("text/event-stream", ": hi\n\nid: 4\nevent: recording\ndata: {}\n\n")]);
    const found = [];
    for await (const frame of await client.events("3", new AbortController().signal)) found.push(frame);
    expect(requests[0]?.init.headers).toMatchObject({ "Last-Event-ID": "3" });
    expect(found.at(-1)).toEqual({ event: "recording", data: "{}", id: "4" });
  });

  test("a stream that is never opened is let go", async () => {
    const { client, requests } = world([], true);
    await expect(client.events(null, new AbortController().signal)).rejects.toMatchObject({ code: "unreachable" });
    expect(requests[0]?.init.signal?.aborted).toBe(true);
  });

  test("a stream that falls silent is let go", async () => {
    const silent = new Response(new ReadableStream({ start: () => undefined }), {
      headers: { "content-type": "text/event-stream" },
    });
    let waits = 0;
    const runtime: Runtime = {
      fetch: async () => silent,
      wait: () => (++waits > 1 ? Promise.resolve() : new Promise(() => undefined)),
      random: () => 0,
      now: () => NOW,
    };
    const frames = await new Client("cs_key", runtime).events(null, new AbortController().signal);
    await expect(frames.next()).rejects.toMatchObject({ sentence: "The server fell silent." });
  });
});

describe("frames", () => {
  const TEXT = ": hi\r\n\r\nid: 1\r\nevent: recording\r\ndata: a\r\ndata: b\r\n\r\nid: 2\ndata:c\n\n\ndata: half";

  test.each([1, 2, 3, 7, 1000])("are the same however the text is cut, by %i", (size) => {
    const reader = new FrameReader();
    const found = [];
    for (let at = 0; at < TEXT.length; at += size) found.push(...reader.push(TEXT.slice(at, at + size)));
    expect(found).toEqual([
      { event: "", data: "hi", id: null },
      { event: "recording", data: "a\nb", id: "1" },
      { event: "message", data: "c", id: "2" },
    ]);
  });
});

test("Retry-After is read as seconds or a date, cut where absurd, ignored where wrong", () => {
  expect(readRetryAfter("7", NOW)).toBe(7_000);
  expect(readRetryAfter("Mon, 23 Nov 2026 12:00:09 GMT", NOW)).toBe(9_000);
  expect(readRetryAfter("Mon, 23 Nov 2026 11:00:00 GMT", NOW)).toBe(0);
  expect(readRetryAfter("99999999", NOW)).toBe(MOST_RETRY_AFTER_MS);
  expect(readRetryAfter("soon", NOW)).toBeNull();
  expect(readRetryAfter(null, NOW)).toBeNull();
});

test("what is no problem of the API is one all the same", async () => {
  const found = await Problem.of(new Response("<h1>Bad gateway</h1>", { status: 502 }), NOW);
  expect(found).toMatchObject({ code: "unexpected", status: 502 });
});

test("the book never puts an older state over a newer one", () => {
  const book = new RecordingBook();
  const at = (version: number, state: string) => ({ id: "r", version, state }) as Recording;
  book.put(at(3, "ready"));
  expect(book.put(at(2, "fetching")).state).toBe("ready");
  expect(book.get("r")?.state).toBe("ready");
  book.put(at(4, "purged"));
  expect(book.get("r")?.state).toBe("purged");
});
