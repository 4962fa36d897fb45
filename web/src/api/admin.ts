/**
 * What operators ask of the server, beside recordings: figures, limits, failures, backfills, keys and the audit.
 */

import type { Client } from "./client.js";
import type { components } from "./schema.js";

type Schemas = components["schemas"];

export type TenantNow = Schemas["TenantNow"];
export type AccountNow = Schemas["AccountNow"];
export type Overview = Schemas["Overview"];
export type Failures = Schemas["Failures"];
export type FailureGroup = Schemas["FailuresOfReason"];

export interface Throughput {
  step_s: number;
  points: readonly { at: string; ready: number; failed: number; p50_s: number | null; p95_s: number | null }[];
}

export interface Operation {
  id: string;
  matched: number;
  done: number;
  skipped: number;
  state: "running" | "done";
}

export interface Which {
  reason: string | null;
  tenant_id: string | null;
  account_id: string | null;
}

export interface Backfill {
  id: string;
  account_id: string;
  since: string;
  until: string;
  dry_run: boolean;
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  listed: number;
  inserted: number;
  known: number;
  vanished: number;
  windows_done: number;
  windows: number;
  eta_s: number | null;
  error: string | null;
  started_at: string | null;
  ended_at: string | null;
}

export interface Day {
  day: string;
  /** When all of it was last listed; null: nobody did. */
  listed_at: string | null;
  listed: number;
  kept: number;
  absent: number;
  failed: Readonly<Record<string, number>>;
  purged: number;
  pending: number;
  missing: readonly string[];
  vanished: number;
}

export type Key = Schemas["KeyView"];
export type Scope = Schemas["Scope"];
export type KeyWish = Pick<Key, "name" | "tenant_id" | "scopes" | "expires_at">;

export type AuditKind = Schemas["AuditKind"];

export interface AuditEntry {
  seq: number;
  at: string;
  actor: string;
  action: string;
  target: string;
  detail: unknown;
  address: string | null;
}

const path = encodeURIComponent;

export class Admin {
  constructor(private readonly client: Pick<Client, "json">) {}

  overview(signal?: AbortSignal): Promise<Overview> {
    return this.client.json("GET", "/api/overview", { signal });
  }

  throughput(hours: number, signal?: AbortSignal): Promise<Throughput> {
    return this.client.json("GET", `/api/throughput?hours=${hours}`, { signal });
  }

  setTenant(id: string, change: Partial<Pick<TenantNow, "slots" | "weight" | "paused" | "allowed_origins">>): Promise<{ in_force: boolean }> {
    return this.client.json("PATCH", `/api/tenants/${path(id)}`, { body: change });
  }

  setAccount(id: string, change: Partial<Pick<AccountNow, "limit" | "paused">>): Promise<{ in_force: boolean }> {
    return this.client.json("PATCH", `/api/accounts/${path(id)}`, { body: change });
  }

  async accounts(signal?: AbortSignal): Promise<readonly AccountNow[]> {
    return (await this.client.json<Schemas["AccountList"]>("GET", "/api/accounts", { signal })).accounts;
  }

  failures(narrowed: Readonly<Record<"tenant" | "account", string | null>>, signal?: AbortSignal): Promise<Failures> {
    const given = Object.entries(narrowed).filter((one): one is [string, string] => Boolean(one[1]));
    return this.client.json("GET", `/api/failures?${new URLSearchParams(given)}`, { signal });
  }

  async countRetry(which: Which): Promise<number> {
    const body = { ...which, dry_run: true };
    return (await this.client.json<{ matched: number }>("POST", "/api/failures/retry", { body })).matched;
  }

  retryAll(which: Which): Promise<Operation> {
    return this.client.json("POST", "/api/failures/retry", { body: { ...which, dry_run: false } });
  }

  operation(id: string, signal?: AbortSignal): Promise<Operation> {
    return this.client.json("GET", `/api/operations/${path(id)}`, { signal });
  }

  async backfills(signal?: AbortSignal): Promise<readonly Backfill[]> {
    return (await this.client.json<{ backfills: Backfill[] }>("GET", "/api/backfills", { signal })).backfills;
  }

  startBackfill(wanted: Pick<Backfill, "account_id" | "since" | "dry_run"> & { until: string | null }): Promise<Backfill> {
    return this.client.json("POST", "/api/backfills", { body: wanted });
  }

  cancelBackfill(id: string): Promise<unknown> {
    return this.client.json("DELETE", `/api/backfills/${path(id)}`);
  }

  async completeness(account: string, from: string, before: string, signal?: AbortSignal): Promise<readonly Day[]> {
    const query = new URLSearchParams({ account_id: account, from, before });
    return (await this.client.json<{ days: Day[] }>("GET", `/api/completeness?${query}`, { signal })).days;
  }

  async keys(signal?: AbortSignal): Promise<readonly Key[]> {
    return (await this.client.json<{ keys: Key[] }>("GET", "/api/keys", { signal })).keys;
  }

  /** Makes a key; its secret is in this answer and never again. */
  addKey(wish: KeyWish): Promise<Key & { secret: string }> {
    return this.client.json("POST", "/api/keys", { body: wish });
  }

  revokeKey(id: string): Promise<unknown> {
    return this.client.json("DELETE", `/api/keys/${path(id)}`);
  }

  audit(
    only: AuditKind,
    cursor: string | null,
    signal?: AbortSignal,
  ): Promise<{ entries: AuditEntry[]; next_cursor: string | null }> {
    const after = cursor === null ? "" : `&cursor=${path(cursor)}`;
    return this.client.json("GET", `/api/audit?only=${only}${after}`, { signal });
  }
}
