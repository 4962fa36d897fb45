"""Twilio's API of 2010-04-01 as far as recordings need it: who asks, for what, and the answer."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from callspool.simulator.clock import Clock
from callspool.simulator.media import FORMATS, MediaServer
from callspool.simulator.paging import in_time, page_of
from callspool.simulator.problems import problem, retry_after
from callspool.simulator.requestlog import Log
from callspool.simulator.resources import (
    account_json,
    call_json,
    call_recording_json,
    conference_recording_json,
    recording_json,
)
from callspool.simulator.telnyx_api import sign_address
from callspool.simulator.wire import Exchange
from callspool.simulator.world import DELETED, Account, Call, Recording, World

_ACCOUNTS: Final = "/2010-04-01/Accounts.json"
_PATH: Final = re.compile(
    r"(?P<laml>/api/laml)?/2010-04-01/Accounts/(?P<account>[^/.]+)"
    r"(?:/(?:Calls/(?P<call>[^/.]+)/|Conferences/(?P<conference>[^/.]+)/)?(?P<kind>Recordings|Calls)"
    r"(?:/(?P<sid>[^/.]+))?)?"
    r"(?:\.(?P<extension>json|wav|mp3))?"
)
_SECOND_ORIGIN: Final = re.compile(r"/media/(?P<sid>[0-9A-Za-z-]+)\.(?P<extension>wav|mp3)")
_XML: Final = {"Content-Type": "application/xml"}


class TwilioApi:
    """The first origin, which wants credentials, and the second, to which redirects lead."""

    def __init__(self, world: World, media: MediaServer, log: Log, clock: Clock) -> None:
        self._world = world
        self._media = media
        self._log = log
        self._clock = clock
        self._begun_at = clock.now()
        self.base_url = ""

    async def handle(self, exchange: Exchange, region: str = "") -> None:
        """Answer a request at the first origin, or at another region's."""
        if exchange.request.path == _ACCOUNTS:
            await self._list_accounts(exchange, region)
            return
        found = _PATH.fullmatch(exchange.request.path)
        if found is None:
            await self._not_found(exchange)
            return
        exchange.entry.account_sid = found["account"]
        recording = self._world.recordings.get(found["sid"] or "")
        is_media = recording is not None and found["extension"] != "json" and exchange.request.method != "DELETE"
        if recording is not None and is_media:
            # Noted even if it is refused: a refused download is one that the provider saw.
            self._log.begin_download(exchange.entry, recording.account_sid, recording.sid, recording.tag)
        account = self._world.accounts.get(found["account"])
        is_public = account is not None and account.provider == "signalwire" and is_media
        if not is_public:
            account = self._authenticate(exchange.request.headers, found["account"], region)
        if account is not None and (account.provider == "signalwire") is not bool(found["laml"]):
            await self._not_found(exchange)
            return
        if account is None:
            await problem(exchange, 401, 20003, "Authenticate", {"WWW-Authenticate": 'Basic realm="Twilio API"'})
            return
        if account.region != region:
            await self._not_found(exchange)
            return
        try:
            await self._route(exchange, account, found.groupdict(), recording)
        except ValueError as error:
            await problem(exchange, 400, 20001, f"Parameter is not valid: {error}")

    async def handle_second_origin(self, exchange: Exchange) -> None:
        """Answer where a redirect led: the address itself is the permission."""
        found = _SECOND_ORIGIN.fullmatch(exchange.request.path)
        recording = self._world.recordings.get(found["sid"]) if found else None
        if found is None or recording is None:
            await self._not_found(exchange)
            return
        self._log.begin_download(exchange.entry, recording.account_sid, recording.sid, recording.tag)
        account = self._world.accounts[recording.account_sid]
        if account.provider == "telnyx":
            await self._presigned(exchange, account, recording, found["extension"])
            return
        if exchange.request.query.get("signature") != f"{recording.seed:x}":
            await problem(exchange, 403, 20403, "Forbidden")
            return
        await self._media.serve_audio(exchange, recording, found["extension"])

    async def _presigned(self, exchange: Exchange, account: Account, recording: Recording, extension: str) -> None:
        expires = exchange.request.query.get("expires", "")
        if exchange.request.query.get("signature") != sign_address(recording, expires):
            await exchange.answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>", _XML)
        elif self._clock.now().timestamp() >= float(expires):
            await exchange.answer(
                403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", _XML
            )
        elif account.limit is not None and exchange.entry.account_concurrency > account.limit:
            await exchange.answer(429, b"<Error><Code>SlowDown</Code></Error>", _XML)
        else:
            await self._media.serve(exchange, recording, extension)

    def _authenticate(self, headers: Mapping[str, str], account_sid: str, region: str) -> Account | None:
        account = self._world.accounts.get(account_sid)
        user, password = _credentials(headers)
        if account is None or not user:
            return None
        if user in account.api_keys and region != account.region:
            return None  # keys are regional
        parent = self._world.accounts.get(account.parent)
        as_parent = parent is not None and user == parent.sid and parent.accepts(user, password)
        return account if as_parent or account.accepts(user, password) else None

    async def _list_accounts(self, exchange: Exchange, region: str) -> None:
        user, _ = _credentials(exchange.request.headers)
        known = self._world.accounts.values()
        sid = next((one.sid for one in known if user == one.sid or user in one.api_keys), "")
        account = self._authenticate(exchange.request.headers, sid, region)
        if account is None:
            await problem(exchange, 401, 20003, "Authenticate", {"WWW-Authenticate": 'Basic realm="Twilio API"'})
            return
        page = page_of(
            _ACCOUNTS,
            exchange.request.query,
            "accounts",
            list(known),
            lambda one: account.sid in (one.sid, one.parent),
            lambda one: account_json(one, self._begun_at),
        )
        await exchange.json(200, page)

    async def _route(
        self, exchange: Exchange, account: Account, place: Mapping[str, str | None], recording: Recording | None
    ) -> None:
        if recording is not None and recording.account_sid != account.sid:
            recording = None
        asked = _asked(exchange.request.method, place)
        if asked and (fault := account.next_refusal(asked)):
            headers = retry_after(fault, self._clock.now())
            await problem(exchange, fault.status, 20000 + fault.status, "Not now", headers)
            return
        match exchange.request.method, place["kind"], place["sid"], place["extension"]:
            case "GET", None, None, "json":
                await exchange.json(200, account_json(account, self._begun_at))
            case "GET", "Recordings", None, "json":
                await self._list_recordings(exchange, account, place)
            case "GET", "Calls", None, "json" if place["call"] is None:
                await self._list_calls(exchange, account)
            case "GET", "Calls", str(sid), "json" if place["call"] is None:
                call = self._world.calls.get(sid)
                if call is None or call.account_sid != account.sid:
                    await self._not_found(exchange)
                else:
                    await exchange.json(200, call_json(call))
            case method, "Recordings", str(), extension if recording is not None:
                await self._one_recording(exchange, account, recording, method, extension, place)
            case _:
                await self._not_found(exchange)

    async def _one_recording(
        self,
        exchange: Exchange,
        account: Account,
        recording: Recording,
        method: str,
        extension: str | None,
        place: Mapping[str, str | None],
    ) -> None:
        call_sid, conference_sid = place["call"], place["conference"]
        if call_sid not in (None, recording.call_sid) or conference_sid not in (None, recording.conference_sid):
            await self._not_found(exchange)
        elif method == "DELETE":
            if recording.status == DELETED:
                await self._not_found(exchange)
            else:
                self._world.set_status(recording, DELETED)
                await exchange.answer(204)
        elif method in ("GET", "HEAD") and extension == "json":
            if recording.status == DELETED and not _wants_deleted(exchange.request.query):
                await self._not_found(exchange)
            else:
                await exchange.json(200, self._shown(recording, _represent(place)))
        elif method in ("GET", "HEAD"):
            if account.limit is not None and exchange.entry.account_concurrency > account.limit:
                await problem(exchange, 429, 20429, "Too Many Requests")
            elif account.bucket:
                await self._not_found(exchange)
            else:
                await self._media.serve(exchange, recording, extension or FORMATS[0])
        else:
            await problem(exchange, 405, 20004, "Method not allowed")

    async def _list_recordings(self, exchange: Exchange, account: Account, place: Mapping[str, str | None]) -> None:
        query = exchange.request.query
        call_sid = place["call"] or query.get("CallSid")
        conference_sid = place["conference"] or query.get("ConferenceSid")

        def wanted(recording: Recording) -> bool:
            return (
                recording.account_sid == account.sid
                and (recording.status != DELETED or _wants_deleted(query))
                and call_sid in (None, "", recording.call_sid)
                and conference_sid in (None, "", recording.conference_sid)
                and in_time(query, "DateCreated", recording.created_at)
            )

        newest_first = list(reversed(self._world.recordings.values()))
        newest_first.sort(key=lambda recording: recording.created_at, reverse=True)
        represent = _represent(place)
        await exchange.json(
            200,
            page_of(
                exchange.request.path,
                query,
                "recordings",
                newest_first,
                wanted,
                lambda recording: self._shown(recording, represent),
            ),
        )

    def _shown(
        self, recording: Recording, represent: Callable[[Recording, str, str], dict[str, Any]]
    ) -> dict[str, Any]:
        bucket = self._world.accounts[recording.account_sid].bucket
        address = self._media.address(recording, FORMATS[0], str(recording.channels)) if bucket else ""
        return represent(recording, self.base_url, address)

    async def _list_calls(self, exchange: Exchange, account: Account) -> None:
        query = exchange.request.query

        def wanted(call: Call) -> bool:
            return (
                call.account_sid == account.sid
                and query.get("To", call.called) == call.called
                and query.get("From", call.caller) == call.caller
                and query.get("Status", "completed") == "completed"
                and in_time(query, "StartTime", call.started_at)
            )

        newest_first = list(reversed(self._world.calls.values()))
        newest_first.sort(key=lambda call: call.started_at, reverse=True)
        await exchange.json(200, page_of(exchange.request.path, query, "calls", newest_first, wanted, call_json))

    async def _not_found(self, exchange: Exchange) -> None:
        await problem(exchange, 404, 20404, f"The requested resource {exchange.request.path} was not found")


def _represent(place: Mapping[str, str | None]) -> Callable[[Recording, str, str], dict[str, Any]]:
    """Return how recordings look at a place: as those of a call, of a conference, or of the account."""
    if place["call"]:
        return call_recording_json
    return conference_recording_json if place["conference"] else recording_json


def _credentials(headers: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return (user, password) if scheme.lower() == "basic" else ("", "")


def _asked(method: str, place: Mapping[str, str | None]) -> str | None:
    """Return what of ``world.ASKED`` a request is for; None for media and the account itself."""
    match method, place["kind"], place["sid"], place["extension"]:
        case "GET", "Recordings", None, "json":
            return "list"
        case "GET", "Calls", _, "json":
            return "calls"
        case "GET" | "HEAD", "Recordings", str(), "json":
            return "metadata"
        case "DELETE", "Recordings", str(), _:
            return "delete"
    return None


def _wants_deleted(query: Mapping[str, str]) -> bool:
    return query.get("IncludeSoftDeleted", "").lower() == "true"
