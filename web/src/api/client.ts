/**
 * The one place that speaks to the server. It holds the key, turns every failure into a `Problem`, and never
 * asks twice by itself: who wants a second try decides that where it is seen.
 */

import { type Frame, FrameReader } from "./frames.js";
import { Problem, readRetryAfter } from "./problem.js";
import type { Runtime } from "./runtime.js";
import type { components } from "./schema.js";

type Schemas = components["schemas"];
export type State = Schemas["State"];
/** Known once the provider was asked for the call. */
interface CallDetails {
  from_number?: string | null;
  to_number?: string | null;
  direction?: string | null;
}

export type Recording = Schemas["RecordingView"] & CallDetails;
export type RecordingDetail = Schemas["RecordingDetail"] & CallDetails;
export type Waiting = Schemas["Waiting"];
export type RecordingPage = Schemas["RecordingPage"];
export type FetchAnswer = Schemas["FetchAnswer"];
export type Playback = Schemas["Playback"];
export type LiveEvent = Schemas["LiveEvent"];
export type Tenant = Schemas["TenantView"];

/** An API key, or what gives one; null: none is sent, because a cookie of the page says who asks. */
export type Key = string | null | (() => string | null | Promise<string | null>);

/** What a list is narrowed to, by the names that the API has for it. */
export interface RecordingFilter {
  tenant?: string;
  account?: string;
  reason?: string;
  /** A call, a recording or a phone number. */
  q?: string;
  created_from?: string;
  created_before?: string;
}

export interface RecordingQuery extends RecordingFilter {
  states?: readonly State[];
  cursor?: string | null;
  limit?: number;
}

export interface Asking {
  signal?: AbortSignal | undefined;
  cache?: RequestCache;
  body?: unknown;
}

/** What the server really sends under a playback link. */
export type Sound =
  | { kind: "audio"; type: string }
  | { kind: "link_void" }
  | { kind: "coming"; retryAfterMs: number }
  | { kind: "not_audio"; type: string };

const REQUEST_MS = 20_000;
const OPEN_MS = 6_000;
const COMING_MS = 2_000;
const ACCEPTED = 202;
const UNAUTHENTICATED = 401;
/** The server gives a sign of life every 15 s. */
const SILENCE_MS = 45_000;

export class Client {
  /** The key as it was last asked for. It is a secret. */
  lastKey: string | null = null;

  /** Without a key the browser's cookie says who asks, and *csrf* that it is this page that does. */
  constructor(
    private readonly key: Key,
    private readonly runtime: Runtime,
    private readonly base: string = "",
    private readonly csrf: string | null = null,
  ) {}

  /** Returns what tells this client's principal from others. It is a secret. Null: nothing does. */
  async identity(): Promise<string | null> {
    return (await this.#currentKey()) ?? this.csrf;
  }

  recordings(query: RecordingQuery, signal?: AbortSignal): Promise<RecordingPage> {
    const { states = [], limit = 50, ...rest } = query;
    const params = new URLSearchParams({ limit: String(limit) });
    for (const state of states) params.append("state", state);
    for (const [name, value] of Object.entries(rest)) if (value) params.set(name, value);
    return this.json<RecordingPage>("GET", `/api/recordings?${params}`, { signal });
  }

  recording(id: string, signal?: AbortSignal): Promise<RecordingDetail> {
    return this.json<RecordingDetail>("GET", `/api/recordings/${encodeURIComponent(id)}`, { signal });
  }

  /** Says what decides when it comes. */
  why(id: string, signal?: AbortSignal): Promise<Waiting> {
    return this.json<Waiting>("GET", `/api/recordings/${encodeURIComponent(id)}/why`, { signal });
  }

  async tenants(signal?: AbortSignal): Promise<Tenant[]> {
    return (await this.json<Schemas["TenantList"]>("GET", "/api/tenants", { signal })).tenants;
  }

  /** Asks to hear a recording soon: its job goes before the archive's, and its link plays what comes. */
  async hasten(id: string): Promise<FetchAnswer> {
    const answer = await this.json<FetchAnswer>("POST", `/api/recordings/${encodeURIComponent(id)}/fetch`);
    return answer.audio_url === null ? answer : { ...answer, audio_url: this.base + answer.audio_url };
  }

  /** Returns audiowaveform's document. It never changes, so the browser may keep it. */
  waveform(id: string, signal?: AbortSignal): Promise<unknown> {
    return this.json("GET", `/api/recordings/${encodeURIComponent(id)}/waveform`, { signal, cache: "default" });
  }

  /** Returns the waveform that a playback link allows to be seen. */
  async waveformOf(audioUrl: string, signal?: AbortSignal): Promise<unknown> {
    const url = audioUrl.replace(/\/audio(?=\?|$)/, "/waveform");
    return this.#read(await this.#send(url, { headers: { Accept: "application/json" } }, signal));
  }

  retry(id: string): Promise<FetchAnswer> {
    return this.json<FetchAnswer>("POST", `/api/recordings/${encodeURIComponent(id)}/retry`);
  }

  cancel(id: string): Promise<Recording> {
    return this.json<Recording>("POST", `/api/recordings/${encodeURIComponent(id)}/cancel`);
  }

  /** Returns a link that an `<audio>` element can play without a key, for a short time. */
  async playback(id: string): Promise<Playback> {
    const playback = await this.json<Playback>("POST", `/api/recordings/${encodeURIComponent(id)}/playback`);
    return { ...playback, url: this.base + playback.url };
  }

  /** Looks at what a link gives: an `<audio>` element cannot tell why it failed. */
  async inspect(url: string): Promise<Sound> {
    const response = await this.#send(url, { headers: { Range: "bytes=0-0" }, cache: "no-store" });
    if (!response.ok) {
      const problem = await Problem.of(response, this.runtime.now());
      if (problem.code === "link_expired" || problem.code === "bad_link") return { kind: "link_void" };
      throw problem;
    }
    void response.body?.cancel().catch(() => undefined);
    if (response.status === ACCEPTED) {
      const after = readRetryAfter(response.headers.get("retry-after"), this.runtime.now());
      return { kind: "coming", retryAfterMs: after ?? COMING_MS };
    }
    const type = (response.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() || "nothing named";
    return type.startsWith("audio/") ? { kind: "audio", type } : { kind: "not_audio", type };
  }

  /**
   * Opens the stream of events after the one with that id. It resolves when the server has begun to answer.
   * The frames end when the server ends them or falls silent.
   */
  async events(after: string | null, signal: AbortSignal): Promise<AsyncGenerator<Frame, void>> {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (after !== null) headers["Last-Event-ID"] = after;
    const open = (known: Record<string, string>) =>
      this.runtime.fetch(`${this.base}/api/events`, { headers: known, signal: either, cache: "no-store" });
    const response = await this.#within(OPEN_MS, this.#withKey(headers, open), stop);
    if (!response.ok) throw await Problem.of(response, this.runtime.now());
    if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream") || !response.body) {
      stop.abort();
      throw new Problem("unexpected", "The server did not send events. A proxy may stand in between.", response.status);
    }
    return this.#frames(response.body.getReader(), stop);
  }

  async *#frames(
    reader: ReadableStreamDefaultReader<Uint8Array>,
    stop: AbortController,
  ): AsyncGenerator<Frame, void> {
    const decoder = new TextDecoder();
    const frames = new FrameReader();
    try {
      for (;;) {
        const { done, value } = await this.#within(SILENCE_MS, reader.read(), stop);
        if (done) return;
        yield* frames.push(decoder.decode(value, { stream: true }));
      }
    } finally {
      stop.abort();
    }
  }

  /** Asks for JSON; an answer without a body is undefined. */
  async json<T>(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, asking: Asking = {}): Promise<T> {
    const headers: Record<string, string> = { Accept: "application/json" };
    const init: RequestInit = { method, cache: asking.cache ?? "no-store" };
    if (asking.body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(asking.body);
    }
    if (method !== "GET" && this.csrf !== null) headers["X-CSRF-Token"] = this.csrf;
    const send = (known: Record<string, string>) =>
      this.#send(this.base + path, { ...init, headers: known }, asking.signal);
    return this.#read<T>(await this.#withKey(headers, send));
  }

  async #read<T>(response: Response): Promise<T> {
    if (!response.ok) throw await Problem.of(response, this.runtime.now());
    if (response.status === 204) return undefined as T;
    if (!(response.headers.get("content-type") ?? "").startsWith("application/json")) {
      throw new Problem("unexpected", "The server did not send what was asked for. Reload the page.", response.status);
    }
    return (await response.json()) as T;
  }

  async #currentKey(): Promise<string | null> {
    const key = typeof this.key === "function" ? await this.key() : this.key;
    this.lastKey = key;
    return key;
  }

  /** Sends with the key. One that ran out meanwhile is asked for anew, once. */
  async #withKey(
    headers: Record<string, string>,
    send: (headers: Record<string, string>) => Promise<Response>,
  ): Promise<Response> {
    const authorised = (key: string | null) => (key === null ? headers : { Authorization: `Bearer ${key}`, ...headers });
    const key = await this.#currentKey();
    const response = await send(authorised(key));
    if (response.status !== UNAUTHENTICATED || typeof this.key !== "function") return response;
    const fresh = await this.#currentKey();
    return fresh === key ? response : send(authorised(fresh));
  }

  async #send(url: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
    const limit = AbortSignal.timeout(REQUEST_MS);
    try {
      return await this.runtime.fetch(url, { ...init, signal: signal ? AbortSignal.any([signal, limit]) : limit });
    } catch (error) {
      signal?.throwIfAborted();
      throw Problem.from(error);
    }
  }

  /** Waits for `promise`, but not for ever. */
  async #within<T>(ms: number, promise: Promise<T>, stop: AbortController): Promise<T> {
    const timer = new AbortController();
    const limit = this.runtime.wait(ms, timer.signal).then(() => {
      stop.abort();
      throw new Problem("unreachable", "The server fell silent.", 0);
    });
    limit.catch(() => undefined);
    try {
      return await Promise.race([promise, limit]);
    } finally {
      timer.abort();
      promise.catch(() => undefined);
    }
  }
}
