/**
 * One event stream for a whole browser: the tab that holds a lock listens to the server and tells the others over a
 * channel. Which tab that is changes when it closes; the next one goes on from the last number that was heard.
 * Where a browser has no locks (an address without TLS) each tab has a stream of its own.
 */

import type { LiveEvent } from "./client.js";
import type { Cause, Connection, Listener } from "./feed.js";
import { Problem } from "./problem.js";
import type { Runtime } from "./runtime.js";

/** Listens to the server itself, from after that number on, until the signal aborts. */
export type Lead = (listener: Listener, after: string | null, signal: AbortSignal) => Promise<void>;

/** The parts of a browser that its tabs share. Tests give their own. */
export interface Browser {
  locks: Pick<LockManager, "request">;
  channel(name: string): Pick<BroadcastChannel, "postMessage" | "close" | "onmessage">;
}

type Said = { kind: "event"; event: LiveEvent } | { kind: "refresh"; cause: Cause } | Standing | { kind: "here" };
type Standing = { kind: "connection"; state: Connection; problem: Pick<Problem, "code" | "sentence" | "status"> | null };
/** `term` is the leader's time in office; its messages are numbered, so that one that is lost is noticed. */
type Message = { kind: "hello" } | (Said & { term: string; number: number });

const BEAT_MS = 20_000;
/** A hidden tab's timers go once a minute. */
const SILENCE_MS = 150_000;

export function thisBrowser(): Browser | null {
  if (!("locks" in navigator) || typeof BroadcastChannel === "undefined") return null;
  return { locks: navigator.locks, channel: (name) => new BroadcastChannel(name) };
}

/** Follows the events together with all who give the same name, until the signal aborts. */
export async function followTogether(
  name: string,
  browser: Browser,
  runtime: Pick<Runtime, "wait">,
  lead: Lead,
  listener: Listener,
  signal: AbortSignal,
): Promise<void> {
  const tab = new Tab(browser.channel(name), runtime, lead, listener);
  signal.addEventListener("abort", () => tab.close(), { once: true });
  let steal = false;
  while (!signal.aborted) {
    const turn = new AbortController();
    const either = AbortSignal.any([signal, turn.signal]);
    if (!steal) void tab.noticeSilence(either).then((silent) => silent && turn.abort());
    const options = steal ? { steal } : { signal: either };
    try {
      const asked = browser.locks.request(name, options, () => tab.lead(either));
      await asked;
      steal = false;
    } catch {
      // Silent for too long: the lock is taken from who holds it. Or it was taken from us: back into the line.
      steal = !signal.aborted && turn.signal.aborted;
    } finally {
      turn.abort();
    }
  }
}

class Tab {
  #leads = false;
  #term = "";
  #number = 0;
  #last: string | null = null;
  #standing: Standing | null = null;
  #heard = 0;

  constructor(
    private readonly channel: Pick<BroadcastChannel, "postMessage" | "close" | "onmessage">,
    private readonly runtime: Pick<Runtime, "wait">,
    private readonly leading: Lead,
    private readonly listener: Listener,
  ) {
    channel.onmessage = ({ data }: MessageEvent<Message>) => this.#hear(data);
    channel.postMessage({ kind: "hello" });
  }

  close(): void {
    this.channel.onmessage = null;
    this.channel.close();
  }

  /** Resolves with true when the leader said nothing for too long, with false when the signal aborts. */
  async noticeSilence(signal: AbortSignal): Promise<boolean> {
    let before = -1;
    try {
      while (before !== this.#heard) {
        before = this.#heard;
        await this.runtime.wait(SILENCE_MS, signal);
      }
    } catch {
      return false;
    }
    return !this.#leads;
  }

  /** Listens to the server and tells the others, until the signal aborts. */
  async lead(signal: AbortSignal): Promise<void> {
    const term = new AbortController();
    const either = AbortSignal.any([signal, term.signal]);
    this.#leads = true;
    this.#term = `${performance.timeOrigin}-${performance.now()}-${Math.random()}`;
    this.#number = 0;
    void this.#beat(either);
    try {
      await this.leading(this.#relay(), this.#last, either);
      // Only a refusal ends it before its time. The others were told; nobody tries again.
      if (!signal.aborted) await this.runtime.wait(2 ** 31 - 1, signal).catch(() => undefined);
    } finally {
      this.#leads = false;
      term.abort();
    }
  }

  #relay(): Listener {
    return {
      event: (event) => {
        this.#last = String(event.seq);
        this.#say({ kind: "event", event });
        this.listener.event(event);
      },
      refresh: (cause) => {
        this.#say({ kind: "refresh", cause });
        return this.listener.refresh(cause);
      },
      connection: (state, problem) => {
        const told = problem && { code: problem.code, sentence: problem.sentence, status: problem.status };
        this.#standing = { kind: "connection", state, problem: told };
        this.#say(this.#standing);
        this.listener.connection(state, problem);
      },
    };
  }

  async #beat(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.runtime.wait(BEAT_MS, signal);
        this.#say({ kind: "here" });
      }
    } catch {
      // Its time in office is over.
    }
  }

  #say(said: Said): void {
    this.#number += 1;
    this.channel.postMessage({ ...said, term: this.#term, number: this.#number });
  }

  #hear(message: Message): void {
    if (message.kind === "hello") {
      if (this.#leads && this.#standing) this.#say(this.#standing);
      return;
    }
    if (this.#leads) return; // the last words of one before
    this.#heard += 1;
    const missed = this.#term !== message.term || message.number !== this.#number + 1;
    const cause: Cause = this.#term === "" ? "opened" : "gap";
    this.#term = message.term;
    this.#number = message.number;
    if (missed && message.kind !== "refresh") void this.listener.refresh(cause).catch(() => undefined);
    if (message.kind === "event") {
      this.#last = String(message.event.seq);
      this.listener.event(message.event);
    } else if (message.kind === "refresh") {
      void this.listener.refresh(message.cause).catch(() => undefined);
    } else if (message.kind === "connection") {
      const { problem } = message;
      this.listener.connection(
        message.state,
        problem && new Problem(problem.code, problem.sentence, problem.status),
      );
    }
  }
}
