/**
 * Who this tab asks as: an API key, kept in the tab's session only, or a person who signed in, known to the
 * server by a cookie that no script can read.
 */

import { Client } from "../api/client.js";
import { Problem } from "../api/problem.js";
import { browserRuntime } from "../api/runtime.js";
import type { components } from "../api/schema.js";

type Schemas = components["schemas"];

const NAME = "callspool.key";
/** Says that this browser has a cookie; asking the server without one would only be refused. */
const SIGNED_IN = "callspool.signed-in";

/** What the server says of who asks. */
export interface Principal {
  name: string;
  /** Null: an operator, who sees every tenant. */
  tenant_id: string | null;
}

interface Session extends Principal {
  kind: "key" | "session";
  csrf: string | null;
}

export interface Entry {
  client: Client;
  principal: Principal;
}

export interface Password {
  name: string;
  password: string;
}

export type Credentials = { key: string } | Password;

/** Returns what people call the identity provider, where one may sign in with it. */
export async function identityProvider(): Promise<string | null> {
  const ways = await new Client(null, browserRuntime).json<Schemas["SignInWays"]>("GET", "/api/session/ways");
  return ways.identity_provider;
}

/** Takes `#key=…` out of the address, so that it is in no bookmark and no history; and where the server says that this
 * browser was signed in, notes that. */
export function takeKeyFromAddress(): boolean {
  if (location.hash === "#signed-in") {
    history.replaceState(null, "", location.pathname + location.search);
    sessionStorage.removeItem(NAME);
    localStorage.setItem(SIGNED_IN, "1");
    return true;
  }
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key === null) return false;
  history.replaceState(null, "", location.pathname + location.search);
  if (key !== "") keepKey(key);
  return key !== "";
}

/** Enters with what is there: the tab's key, else the cookie. Null: nothing, or nothing that is valid. */
export async function enter(): Promise<Entry | null> {
  const key = sessionStorage.getItem(NAME);
  if (key === null && localStorage.getItem(SIGNED_IN) === null) return null;
  const asking = new Client(key, browserRuntime);
  try {
    const session = await asking.json<Session>("GET", "/api/session");
    const client = session.csrf === null ? asking : new Client(key, browserRuntime, "", session.csrf);
    return { client, principal: session };
  } catch (error) {
    const problem = Problem.from(error);
    if (!problem.isRefusal) throw problem;
    forget();
    if (key !== null) throw problem;
    return null;
  }
}

/** Signs in by name; throws the problem where it is refused. */
export async function signIn(given: Password): Promise<Entry | null> {
  await new Client(null, browserRuntime).json("POST", "/api/session", { body: given });
  localStorage.setItem(SIGNED_IN, "1");
  return enter();
}

export function keepKey(key: string): void {
  sessionStorage.setItem(NAME, key);
}

/** Ends the session, or forgets the tab's key. Throws the problem of a server that did not hear of it: the session goes on. */
export async function signOut(client: Client): Promise<void> {
  if (sessionStorage.getItem(NAME) === null) {
    await client.json("DELETE", "/api/session").catch((error: unknown) => {
      const problem = Problem.from(error);
      if (problem.status !== 401) throw problem; // it is over already
    });
  }
  forget();
}

function forget(): void {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(SIGNED_IN);
}
