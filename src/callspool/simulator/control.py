"""The simulator's own API under ``/_simulator/``, for those who run it as a process of its own.

    POST accounts                   make or change an account; "faults": {"list": ["429:1:2"], "delete": ["503"]}
                                    are what its next requests for those meet ("metadata" and "calls", too)
    POST recordings                 make a recording, and announce it if a callback_url is given
    GET  recordings.json            all of them; ?sha256=1 adds the hash of the WAV in its own channels
    GET  recordings/RE….json        one of them, with that hash
    GET  log.json                   every request; ?since=N from that number on
    GET  summary.json               what follows from the log; ?broken_s=0.1: broken downloads ended so much sooner
    GET  callbacks.json             every delivery of a callback

It knows no credentials: the simulator listens on the loopback only.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from callspool.simulator.callbacks import Delivery
from callspool.simulator.problems import problem
from callspool.simulator.requestlog import Group, Log, bytes_sent, downloads, highest_concurrency, whole_downloads
from callspool.simulator.wire import Exchange
from callspool.simulator.world import Account, Recording

PREFIX: Final = "/_simulator/"

_READ: Final[Mapping[str, Callable[[Any], object]]] = {
    "account_sid": str,
    "tag": str,
    "duration_s": float,
    "channels": int,
    "seed": int,
    "status": str,
    "source": str,
    "error_code": int,
    "call_sid": str,
    "conference_sid": str,
    "created_at": lambda text: datetime.fromisoformat(text).astimezone(UTC),
    "announced_duration_s": int,
    "faults": list,
    "callback_faults": list,
    "rate": float,
    "latency_s": float,
    "paused_s": float,
    "pause_behavior": str,
}
_ACCOUNT_FIELDS: Final = frozenset(
    {
        *("account_sid", "auth_token", "limit", "api_keys", "provider", "signing_key", "parent", "region", "bucket"),
        "faults",
    }
)
_CALLBACK_FIELDS: Final = frozenset({"callback_url", "public_url_to_sign", "events"})


class Controlled(Protocol):
    """What this API does: the simulator."""

    @property
    def log(self) -> Log:
        """Every request."""

    @property
    def recordings(self) -> Mapping[str, Recording]:
        """Every recording by its id."""

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """Every delivery of a callback."""

    def add_account(
        self,
        sid: str | None,
        token: str | None,
        *,
        limit: int | None,
        api_keys: Mapping[str, str] | None,
        provider: str,
        signing_key: str,
        parent: str,
        region: str,
        bucket: bool,
    ) -> Account:
        """Make an account."""

    @property
    def add_recording(self) -> Callable[..., Recording]:
        """Make a recording; its names stand in ``_READ``."""

    def announce_soon(
        self, recording: Recording, callback_url: str, public_url_to_sign: str | None, events: Sequence[str] | None
    ) -> None:
        """Deliver its callbacks in the background."""

    async def sha256(self, recording: Recording) -> str:
        """Return the hash of its WAV."""


async def handle(simulator: Controlled, exchange: Exchange) -> None:
    """Answer a request to the simulator itself."""
    request = exchange.request
    place = request.path.removeprefix(PREFIX)
    try:
        match request.method, place:
            case "GET", "log.json":
                await exchange.json(200, simulator.log.as_json(int(request.query.get("since", "0"))))
            case "GET", "summary.json":
                await exchange.json(200, summarize(simulator.log, float(request.query.get("broken_s", "0"))))
            case "GET", "callbacks.json":
                await exchange.json(200, [asdict(delivery) for delivery in simulator.deliveries])
            case "GET", "recordings.json":
                hashed = request.query.get("sha256") == "1"
                shown = [await _show(simulator, recording, hashed) for recording in simulator.recordings.values()]
                await exchange.json(200, shown)
            case "GET", _ if place.startswith("recordings/") and (
                recording := simulator.recordings.get(place.removeprefix("recordings/").removesuffix(".json"))
            ):
                await exchange.json(200, await _show(simulator, recording, True))
            case "POST", "accounts":
                account = _add_account(simulator, _body(request.body))
                await exchange.json(201, _show_account(account))
            case "POST", "recordings":
                recording = _add_recording(simulator, _body(request.body))
                await exchange.json(201, await _show(simulator, recording, False))
            case _:
                await problem(exchange, 404, 20404, f"There is no {request.method} {request.path}")
    except (ValueError, TypeError) as error:
        await problem(exchange, 400, 20001, str(error))


def summarize(log: Log, broken_s: float = 0.0) -> dict[str, Any]:
    """Return what the invariants are checked by; `highest_concurrency` says what *broken_s* is."""

    def highest(by: Group) -> dict[str, int]:
        return highest_concurrency(log.entries, by, broken_s=broken_s)

    return {
        "requests": len(log.entries),
        "highest_by_tag": highest("tag"),
        "highest_by_account": highest("account_sid"),
        "highest_by_recording": highest("recording_sid"),
        "downloads": downloads(log.entries),
        "whole_downloads": whole_downloads(log.entries),
        "bytes_by_tag": bytes_sent(log.entries, "tag"),
    }


def _body(body: bytes) -> dict[str, Any]:
    values = json.loads(body)
    if not isinstance(values, dict):
        raise ValueError("the body must be a JSON object")
    return values


def _add_account(simulator: Controlled, values: dict[str, Any]) -> Account:
    if unknown := values.keys() - _ACCOUNT_FIELDS:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    trial = Account("", "")  # what is refused changes nothing
    for asked, faults in values.get("faults", {}).items():
        trial.fail(asked, *faults)
    account = simulator.add_account(
        values.get("account_sid"),
        values.get("auth_token"),
        limit=values.get("limit"),
        api_keys=values.get("api_keys"),
        provider=values.get("provider", "twilio"),
        signing_key=values.get("signing_key", ""),
        parent=values.get("parent", ""),
        region=values.get("region", ""),
        bucket=bool(values.get("bucket", False)),
    )
    account.api_faults = trial.api_faults
    return account


def _show_account(account: Account) -> dict[str, Any]:
    faults = {asked: [str(fault) for fault in faults] for asked, faults in account.api_faults.items()}
    return {**asdict(account), "api_faults": faults}


def _add_recording(simulator: Controlled, values: dict[str, Any]) -> Recording:
    if unknown := values.keys() - _READ.keys() - _CALLBACK_FIELDS:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    given = {name: _READ[name](value) for name, value in values.items() if name in _READ and value is not None}
    recording = simulator.add_recording(**given)
    if url := values.get("callback_url"):
        simulator.announce_soon(recording, url, values.get("public_url_to_sign"), values.get("events"))
    return recording


async def _show(simulator: Controlled, recording: Recording, hashed: bool) -> dict[str, Any]:
    # One turn of the loop each: hundreds of them must not hold up the downloads.
    await asyncio.sleep(0)
    return {
        "sid": recording.sid,
        "account_sid": recording.account_sid,
        "call_sid": recording.call_sid,
        "tag": recording.tag,
        "duration_s": recording.duration_s,
        "channels": recording.channels,
        "seed": recording.seed,
        "status": recording.status,
        "created_at": recording.created_at.isoformat(),
        "faults": [str(fault) for fault in recording.faults],
        "callback_faults": [str(fault) for fault in recording.callback_faults],
        "sha256": await simulator.sha256(recording) if hashed else None,
    }
