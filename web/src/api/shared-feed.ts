/**
 * One stream of events for all who listen in a page, and where the browser can, for all its tabs. It runs while
 * somebody listens.
 */

import { Client, type Key, type LiveEvent } from "./client.js";
import { type Cause, type Connection, type Listener, follow } from "./feed.js";
import { type Lead, followTogether, thisBrowser } from "./one-stream.js";
import type { Problem } from "./problem.js";
import { type Runtime, browserRuntime } from "./runtime.js";

type Run = (listener: Listener, signal: AbortSignal) => Promise<void>;

export class SharedFeed {
  state: Connection = "connecting";
  problem: Problem | null = null;

  #listeners = new Set<Partial<Listener>>();
  #stop: AbortController | null = null;

  /** *used* is told when somebody listens again, and when nobody does any more. */
  constructor(
    private readonly run: Run,
    private readonly used: (isUsed: boolean) => void = () => undefined,
  ) {}

  /** Adds a listener until the signal aborts. It is told at once how things stand, and of all that happens from here. */
  listen(listener: Partial<Listener>, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#leave(listener), { once: true });
    if (this.#stop) listener.connection?.(this.state, this.problem);
    if (this.#stop && this.state !== "connecting") void listener.refresh?.("opened").catch(() => undefined);
    if (this.#stop) return;
    this.used(true);
    this.#begin();
  }

  /** A person asks again after the key was refused: it may be another one by now. All who listen hear how that goes. */
  again(): void {
    if (this.state !== "refused" || !this.#stop) return;
    this.#stop.abort();
    this.#begin();
  }

  #begin(): void {
    const stop = new AbortController();
    this.#stop = stop;
    this.state = "connecting";
    const all: Listener = {
      event: (event: LiveEvent) => this.#listeners.forEach((one) => one.event?.(event)),
      refresh: async (cause: Cause) => {
        await Promise.all([...this.#listeners].map((one) => one.refresh?.(cause)));
      },
      connection: (state, problem) => {
        this.state = state;
        this.problem = problem;
        this.#listeners.forEach((one) => one.connection?.(state, problem));
      },
    };
    void this.run(all, stop.signal);
  }

  #leave(listener: Partial<Listener>): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    this.#stop?.abort();
    this.#stop = null;
    this.used(false);
  }
}

/** A server as one principal sees it. */
export interface Connected {
  client: Client;
  feed: SharedFeed;
}

interface Entry extends Connected {
  base: string;
  key: Key;
  text: string | null;
}

/**
 * Connections are found again through the page and not through this module, because a page may have this module
 * twice: its own bundle's and that of /player.js.
 */
const REGISTRY = Symbol.for("callspool.connections");

/** Returns the page's connection for that server and key, and makes it for the first who asks. It is kept while used. */
export async function connect(base: string, key: Key, runtime: Runtime = browserRuntime): Promise<Connected> {
  const holder = globalThis as { [REGISTRY]?: Entry[] };
  holder[REGISTRY] ??= [];
  const entries = holder[REGISTRY];
  const found = (text: string | null) =>
    entries.find((entry) => entry.base === base && (entry.key === key || (text !== null && entry.text === text)));
  const early = found(null);
  if (early) return early;
  const text = typeof key === "function" ? await key() : key;
  const late = found(text);
  if (late) return late;
  const client = new Client(key, runtime, base);
  const keep = (isUsed: boolean) => {
    const at = entries.indexOf(entry);
    if (isUsed && at < 0) entries.push(entry);
    else if (!isUsed && at >= 0) entries.splice(at, 1);
  };
  const entry: Entry = { base, key, text, client, feed: feedOf(client, base, runtime, keep) };
  entries.push(entry);
  return entry;
}

/** Returns a feed for that client, one stream for all tabs that have the same key. */
export function feedOf(
  client: Client,
  base: string,
  runtime: Runtime,
  used?: (isUsed: boolean) => void,
): SharedFeed {
  const lead: Lead = (listener, after, signal) => follow(client, runtime, listener, signal, after);
  return new SharedFeed(async (listener, signal) => {
    const browser = thisBrowser();
    const who = browser ? await fingerprint(await client.identity().catch(() => null)) : null;
    if (browser && who) await followTogether(`callspool ${base} ${who}`, browser, runtime, lead, listener, signal);
    else await lead(listener, null, signal);
  }, used);
}

/** Returns what tells keys apart and gives none away; null where the browser cannot. */
async function fingerprint(key: string | null): Promise<string | null> {
  if (key === null || !globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`callspool events ${key}`));
  return [...new Uint8Array(digest.slice(0, 12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
