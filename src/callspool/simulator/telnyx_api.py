"""Telnyx's API of version 2 as far as recordings need it: bearer keys, lists in numbered pages, addresses that expire.

Its media lie at the second origin, under addresses that are the permission themselves, for as long as they say.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from callspool.simulator.clock import Clock
from callspool.simulator.problems import retry_after
from callspool.simulator.requestlog import Log
from callspool.simulator.wire import Exchange
from callspool.simulator.world import DELETED, Account, Recording, World

PREFIX: Final = "/v2/"
FORMATS: Final = ("wav", "mp3")

_ONE: Final = re.compile(r"/v2/recordings/(?P<id>[^/]+)")
_SIZES: Final = range(1, 251)


class TelnyxApi:
    """Answers at the first origin under ``/v2/``."""

    def __init__(self, world: World, log: Log, clock: Clock) -> None:
        self._world = world
        self._log = log
        self._clock = clock
        self.second_origin = ""

    async def handle(self, exchange: Exchange) -> None:
        """Answer a request."""
        account = self._authenticate(exchange.request.headers)
        if account is None:
            await _problem(exchange, 401, "10009", "Authentication failed")
            return
        exchange.entry.account_sid = account.sid
        one = _ONE.fullmatch(exchange.request.path)
        asked = _asked(exchange.request.method, exchange.request.path)
        if asked and (fault := account.next_refusal(asked)):
            await _problem(exchange, fault.status, "10011", "Not now", retry_after(fault, self._clock.now()))
            return
        try:
            match exchange.request.method, exchange.request.path:
                case "GET", "/v2/recordings":
                    await self._list(exchange, account)
                case "POST", "/v2/recordings/actions/delete":
                    for name in json.loads(exchange.request.body)["ids"]:
                        if found := self._recording(account, name):
                            self._world.set_status(found, DELETED)
                    await exchange.answer(204)
                case method, _ if one is not None and (found := self._recording(account, one["id"])):
                    await self._one(exchange, found, method)
                case _:
                    await _problem(exchange, 404, "10005", "Resource not found")
        except (ValueError, KeyError, TypeError) as error:
            await _problem(exchange, 422, "10015", f"Bad request: {error}")

    async def _one(self, exchange: Exchange, recording: Recording, method: str) -> None:
        if method == "DELETE":
            self._world.set_status(recording, DELETED)
        if method in ("GET", "DELETE"):
            await exchange.json(200, {"data": self.shown(recording)})
        else:
            await _problem(exchange, 405, "10007", "Method not allowed")

    async def _list(self, exchange: Exchange, account: Account) -> None:
        query = exchange.request.query
        number, size = int(query.get("page[number]", "1")), int(query.get("page[size]", "20"))
        if number < 1 or size not in _SIZES:
            raise ValueError("page[number] is 1 or more, page[size] 1 to 250")
        found = [
            recording
            for recording in reversed(self._world.recordings.values())
            if recording.account_sid == account.sid
            and recording.status == "completed"
            and _within(query, "created_at", recording.created_at)
        ]
        found.sort(key=lambda recording: recording.created_at, reverse=True)
        meta = {
            "page_number": number,
            "page_size": size,
            "total_pages": -(-len(found) // size),
            "total_results": len(found),
        }
        data = [self.shown(recording) for recording in found[(number - 1) * size : number * size]]
        await exchange.json(200, {"data": data, "meta": meta})

    def shown(self, recording: Recording) -> dict[str, Any]:
        """Return a recording's metadata, with fresh addresses of its media."""
        call = self._world.calls[recording.call_sid]
        return {
            "id": recording.sid,
            "record_type": "recording",
            "call_control_id": f"v3:{hashlib.sha256(call.sid.encode()).hexdigest()}",
            "call_leg_id": call.sid,
            "call_session_id": recording.call_sid,
            "channels": "dual" if recording.channels == 2 else "single",
            "conference_id": recording.conference_sid,
            "connection_id": "1494404757140276705",
            "created_at": _time(recording.created_at),
            "updated_at": _time(recording.updated_at),
            "recording_started_at": _time(recording.started_at),
            "recording_ended_at": _time(recording.started_at + timedelta(seconds=recording.duration_s)),
            "duration_millis": round(recording.duration_s * 1000),
            "download_urls": self.addresses(recording),
            "from": call.caller,
            "to": call.called,
            "initiated_by": "StartCallRecordingAPI",
            "source": "conference" if recording.conference_sid else "call",
            "status": "completed",
        }

    def addresses(self, recording: Recording) -> dict[str, str]:
        """Return addresses of its media that hold for as long as the account's do."""
        account = self._world.accounts[recording.account_sid]
        expires = f"{self._clock.now().timestamp() + account.url_lifetime_s:.3f}"
        query = urlencode(
            {
                "RequestedChannels": recording.channels,
                "expires": expires,
                "signature": sign_address(recording, expires),
            }
        )
        return {form: f"{self.second_origin}/media/{recording.sid}.{form}?{query}" for form in FORMATS}

    def _authenticate(self, headers: Mapping[str, str]) -> Account | None:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        accounts = (one for one in self._world.accounts.values() if one.provider == "telnyx")
        return next((one for one in accounts if one.auth_token == key), None)

    def _recording(self, account: Account, name: str) -> Recording | None:
        found = self._world.recordings.get(name)
        return found if found and found.account_sid == account.sid and found.status == "completed" else None


def _asked(method: str, path: str) -> str | None:
    """Return what of ``world.ASKED`` a request is for."""
    match method, path:
        case "GET", "/v2/recordings":
            return "list"
        case ("POST", "/v2/recordings/actions/delete") | ("DELETE", _):
            return "delete"
        case "GET", _:
            return "metadata"
    return None


def sign_address(recording: Recording, expires: str) -> str:
    """Return what makes an address of its media a permission until then."""
    return hashlib.sha256(f"{recording.seed:x} {expires}".encode()).hexdigest()


def event_of(recording: Recording, event: str, addresses: Mapping[str, str], at: datetime) -> dict[str, Any]:
    """Return what the webhook of an event says."""
    kind = {
        "completed": "conference.recording.saved" if recording.conference_sid else "call.recording.saved",
        "absent": "call.recording.error",
    }.get(event, "call.answered")
    payload: dict[str, Any] = {
        "call_leg_id": recording.call_sid,
        "call_session_id": recording.call_sid,
        "connection_id": "1494404757140276705",
        "client_state": None,
    }
    if event == "completed":
        payload |= {
            "recording_id": recording.sid,
            "channels": "dual" if recording.channels == 2 else "single",
            "recording_started_at": _time(recording.started_at),
            "recording_ended_at": _time(recording.started_at + timedelta(seconds=recording.duration_s)),
            "recording_urls": addresses,
            "public_recording_urls": {},
        }
    elif event == "absent":
        payload |= {"reason": "Internal server error"}
    name = hashlib.sha256(f"{recording.sid} {event}".encode()).hexdigest()[:32]
    return {
        "data": {
            "record_type": "event",
            "id": name,
            "event_type": kind,
            "occurred_at": _time(at),
            "payload": payload,
        },
        "meta": {"attempt": 1},
    }


def texml_form_of(recording: Recording, event: str) -> dict[str, str]:
    """Return what the callback of a TeXML application says of an event."""
    return {
        "AccountSid": recording.account_sid,
        "CallSid": recording.call_sid,
        "CallSidLegacy": recording.call_sid,
        "ConnectionId": "1494404757140276705",
        "RecordingChannels": str(recording.channels),
        "RecordingDuration": str(recording.announced_duration_s) if event == "completed" else "0",
        "RecordingSid": recording.sid,
        "RecordingSource": recording.source,
        "RecordingStatus": event,
    }


def _within(query: Mapping[str, str], name: str, at: datetime) -> bool:
    begin, end = (query.get(f"filter[{name}][{bound}]") for bound in ("gte", "lte"))
    return not (begin and at < datetime.fromisoformat(begin)) and not (end and at > datetime.fromisoformat(end))


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


async def _problem(
    exchange: Exchange, status: int, code: str, title: str, headers: Mapping[str, str] | None = None
) -> None:
    await exchange.json(status, {"errors": [{"code": code, "title": title, "detail": title}]}, headers)
