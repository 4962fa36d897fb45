"""What the stand-in answers beside recordings: figures, failures, backfills, keys, the audit log and sign-in.

The shapes are the API's own; tests/acceptance shows the real ones together.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from callspool.api.problems import problem

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse"


def at(minutes: float) -> str:
    """Return the moment that many minutes before now."""
    return (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@dataclass
class Operations:
    """What operators see and change."""

    tenants: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)
    backfills: list[dict[str, Any]] = field(default_factory=list)
    days: list[dict[str, Any]] = field(default_factory=list)
    keys: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    points: list[dict[str, Any]] = field(default_factory=list)
    tenant_id: str | None = None
    """Whose the key is; None: the operator's."""
    changes: list[tuple[str, Any]] = field(default_factory=list)
    in_force: bool = True
    """The scheduler hears of changes at once."""
    looks: int = 0
    is_away: bool = False
    """Nobody can be signed out."""
    signed_in: bool = False

    def tenant(self, id: str, name: str, **changes: Any) -> None:  # noqa: A002
        """Add a tenant with three slots that rests."""
        given = {"slots": 3, "weight": 1.0, "paused": False, "running": 0, "waiting": 0, "deferred": 0}
        given |= {"allowed_origins": [], "oldest_waiting_at": None, "ready_per_minute": 0.0, "states": {}}
        self.tenants.append({"id": id, "name": name, **given, **changes})

    def account(self, id: str, **changes: Any) -> None:  # noqa: A002
        """Add an account that works."""
        given = {"provider": "twilio", "limit": 20, "current_limit": 20, "paused": False, "paused_until": None}
        load = {"running": 0, "waiting": 0, "circuit": "closed", "retry_budget": 20.0, "paused_because": None}
        load |= {"ready_per_minute": 0.0, "oldest_waiting_at": None}
        self.accounts.append({"id": id, **given, **load, **changes})

    def failures(
        self, reason: str, sentence: str, of: dict[str, int], *, retryable: bool = True, tenant: str = "acme"
    ) -> None:
        """Add a tenant's failures of a reason: so many *of* each account."""
        told = {"reason": reason, "sentence": sentence, "retryable": retryable}
        self.groups.append({**told, "of": of, "tenant": tenant, "oldest": at(600), "newest": at(10)})

    def failed(self, tenant: str | None, account: str | None) -> dict[str, Any]:
        """Return the failures of a tenant: those of an account by reason, and all of them by account."""
        mine = [one for one in self.groups if tenant in (None, one["tenant"])]
        fit = [{**one, "of": _narrowed(one["of"], account)} for one in mine]
        if account is not None:
            fit = [{**one, "oldest": None, "newest": None} for one in fit]
        groups = [{**one, "count": sum(one["of"].values()), "accounts": _most_first(one["of"])} for one in fit]
        all_of: Counter[str] = Counter()
        for one in mine:
            all_of.update(one["of"])
        return {"groups": [one for one in groups if one["count"]], "accounts": _most_first(all_of)}

    def operation(self) -> dict[str, Any]:
        """Return how far a retry of many is: half at the first look, all at the next one."""
        matched = sum(sum(group["of"].values()) for group in self.groups)
        self.looks += 1
        is_done = self.looks > 2
        done = matched if is_done else matched // 2
        if is_done:
            self.groups.clear()
        return {"id": "op_1", "matched": matched, "done": done, "skipped": 0, "state": "done" if is_done else "running"}


def _narrowed(of: dict[str, int], account: str | None) -> dict[str, int]:
    return {name: number for name, number in of.items() if account in (None, name)}


def _most_first(of: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"account_id": name, "count": number} for name, number in sorted(of.items(), key=lambda one: -one[1])]


def router(there: Operations) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api")

    @routes.get("/session")
    async def session() -> dict[str, Any]:
        kind = "session" if there.signed_in else "key"
        return {"kind": kind, "name": "test", "tenant_id": there.tenant_id, "csrf": "c1" if there.signed_in else None}

    @routes.post("/session")
    async def sign_in(request: Request) -> Response:
        if (await request.json()).get("password") != PASSWORD:
            return problem("unauthenticated", "This name and this password do not fit together. Try again.")
        there.signed_in = True
        return Response(status_code=204)

    @routes.delete("/session")
    async def sign_out() -> Response:
        if there.is_away:
            return problem("unavailable")
        there.signed_in = False
        return Response(status_code=204)

    @routes.get("/overview")
    async def overview() -> dict[str, Any]:
        return {"at": at(0), "tenants": there.tenants, "accounts": there.accounts}

    @routes.get("/throughput")
    async def throughput() -> dict[str, Any]:
        return {"step_s": 3600, "points": there.points}

    @routes.patch("/{kind}/{id}")
    async def change(kind: str, id: str, request: Request) -> Response:  # noqa: A002
        body = await request.json()
        there.changes.append((f"{kind}/{id}", body))
        if body.get("slots", 0) > 1000:
            return problem("invalid_input", "A tenant has at most 1000 slots. Give a smaller number.")
        one = next(one for one in getattr(there, kind) if one["id"] == id)
        one.update(body)
        return JSONResponse({**one, "in_force": there.in_force})

    @routes.get("/failures")
    async def failures(tenant: str | None = None, account: str | None = None) -> dict[str, Any]:
        return there.failed(tenant, account)

    @routes.get("/accounts")
    async def accounts() -> dict[str, Any]:
        return {"accounts": there.accounts}

    @routes.post("/failures/retry")
    async def retry(request: Request) -> dict[str, Any]:
        body = await request.json()
        there.changes.append(("retry", body))
        fit = [
            one
            for one in there.failed(body["tenant_id"], body["account_id"])["groups"]
            if body["reason"] in (None, one["reason"])
        ]
        if body["dry_run"]:
            return {"matched": sum(group["count"] for group in fit)}
        return there.operation()

    @routes.get("/operations/{id}")
    async def operation() -> dict[str, Any]:
        return there.operation()

    @routes.get("/backfills")
    async def backfills() -> dict[str, Any]:
        for run in there.backfills:
            if run["state"] == "running":
                run["windows_done"] += 1
                if run["windows_done"] >= run["windows"]:
                    run.update(state="done", ended_at=at(0), listed=120, inserted=7, known=113)
        return {"backfills": there.backfills}

    @routes.post("/backfills", status_code=202)
    async def start(request: Request) -> dict[str, Any]:
        body = await request.json()
        there.changes.append(("backfill", body))
        counts = dict.fromkeys(("listed", "inserted", "known", "vanished", "windows_done"), 0)
        times = {"started_at": at(0), "ended_at": None, "eta_s": 90, "error": None}
        run = {"id": f"bf_{len(there.backfills)}", **body, "until": body["until"] or at(0), "state": "running"}
        there.backfills.insert(0, {**run, **counts, **times, "windows": 3})
        return there.backfills[0]

    @routes.get("/completeness")
    async def completeness() -> dict[str, Any]:
        return {"days": there.days}

    @routes.get("/keys")
    async def keys() -> dict[str, Any]:
        return {"keys": there.keys}

    @routes.post("/keys", status_code=201)
    async def add_key(request: Request) -> dict[str, Any]:
        body = await request.json()
        there.changes.append(("key", body))
        key = {"id": f"key_{len(there.keys)}", **body, "created_at": at(0), "revoked_at": None}
        there.keys.append(key)
        return {**key, "secret": "cs_shown-once"}

    @routes.delete("/keys/{id}")
    async def revoke(id: str) -> dict[str, Any]:  # noqa: A002
        key = next(key for key in there.keys if key["id"] == id)
        key["revoked_at"] = at(0)
        return key

    @routes.get("/audit")
    async def audit(only: str, cursor: int | None = None) -> dict[str, Any]:
        kind = [entry for entry in there.entries if entry["action"].startswith("recording.") == (only == "listening")]
        older = [entry for entry in kind if cursor is None or entry["seq"] < cursor]
        return {"entries": older[:50], "next_cursor": str(older[49]["seq"]) if len(older) > 50 else None}

    return routes
