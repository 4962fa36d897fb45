"""The short way for the one request that comes by the thousand: a range of a recording that is being played.

A player asks for the same recording again and again. Its row and its key are remembered for a second, so that a
range costs a signature, a look-up in memory and a read. Whatever is not exactly that, a request from a foreign page
among it, goes the long way, through `routes.audio`, which alone decides what is refused and how.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Final

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from callspool.api.auth import Principal
from callspool.api.listening import Listener, Listening
from callspool.api.problems import Refusal
from callspool.api.proxies import asking_address
from callspool.api.ready import fixed_headers, ready_response
from callspool.api.recent import Recent
from callspool.api.services import Services
from callspool.domain.errors import CallspoolError, NotFound, Unavailable
from callspool.domain.ids import RecordingId
from callspool.domain.keys import hash_key
from callspool.domain.listening import ListenForm
from callspool.domain.recording import Kept, Recording, State
from callspool.playback.heard import Heard
from callspool.playback.ranges import Conditions
from callspool.playback.serving import RawHeaders
from callspool.playback.tokens import Grant

_DECIDING: Final = frozenset(
    {b"authorization", b"if-match", b"if-none-match", b"if-range", b"origin", b"range"}  # as ASGI has them
)
_PATH: Final = re.compile(r"/api/recordings/(rec_[0-9a-f]{32})/audio")


@dataclass(frozen=True)
class Known:
    """A recording that is ready, and what every answer for it says."""

    recording: Recording
    kept: Kept
    fixed: RawHeaders

    @cached_property
    def head(self) -> bytes:
        """The fixed fields and the type, as they go over the wire."""
        fields = (*self.fixed, (b"content-type", self.kept.content_type.encode()))
        return b"".join(name + b": " + value + b"\r\n" for name, value in fields)


class Quick:
    """What one process remembers of the long way's answers."""

    def __init__(self, services: Services, listening: Listening) -> None:
        self._listening = listening
        self._services = services
        self._trusted = services.settings.proxies
        self._recordings: Recent[RecordingId, Known] = Recent()
        self._principals: Recent[str, Principal] = Recent()
        self._asking: dict[RecordingId, asyncio.Task[None]] = {}

    def learn(self, recording: Recording, authorization: str | None, principal: Principal | None) -> None:
        """Remember a recording that is ready, and whose key has asked for it."""
        if recording.state is State.READY and recording.kept is not None:
            fixed = fixed_headers(recording, recording.kept)
            self._recordings.put(recording.id, Known(recording, recording.kept, fixed))
            if authorization is not None and principal is not None:
                self._principals.put(_hash(authorization), principal)

    def by_link(
        self, recording_id: str, token: str, peer: str | None, forwarded: Sequence[str]
    ) -> tuple[Known, Listener] | None:
        """Return what that link may hear at once, and who does; None: nothing, or the long way must say.

        *peer* and *forwarded*: see `asking_address`.
        """
        known = self._recordings.get(RecordingId(recording_id))
        grant = self._grant(token, known.recording) if known is not None else None
        if known is None or grant is None:
            return None
        address = asking_address(peer, forwarded, self._trusted) if peer is not None else None
        return known, Listener.by_link(grant, address)

    def heard(self, known: Known, listener: Listener) -> Heard:
        """Return the listening that a request for it belongs to."""
        return self._listening.heard(known.recording, listener, ListenForm.AUDIO, known.kept.size)

    def holds(self, known: Known) -> bool:
        """Say whether what `by_link` returned may be relied on still: for a second at most.

        In the second half of it the row is looked at again, so that who goes on playing never waits for the store.
        """
        id_ = known.recording.id
        if self._recordings.get(id_) is not known:
            return False
        if self._recordings.is_old(id_) and id_ not in self._asking:
            self._asking[id_] = asyncio.create_task(self._ask(known.recording))
        return True

    async def answer(self, scope: Scope) -> Response | None:
        """Return the response to a request that is like one before; None: it goes the long way."""
        found = _PATH.fullmatch(scope["path"])
        if found is None or scope["method"] not in ("GET", "HEAD"):
            return None
        known = self._recordings.get(RecordingId(found[1]))
        fields = _fields(scope["headers"]) if known is not None else None
        if known is None or fields is None:
            return None
        listener = self._listener(known.recording, scope, fields.get(b"authorization"))
        if listener is None:
            return None
        conditions = Conditions(
            method=scope["method"],
            range=fields.get(b"range"),
            if_range=fields.get(b"if-range"),
            if_match=fields.get(b"if-match"),
            if_none_match=fields.get(b"if-none-match"),
        )
        try:
            response = await ready_response(self._services, known.kept, conditions, known.fixed)
        except (CallspoolError, Refusal):
            return None  # the long way says what is wrong
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            return None
        if scope["method"] == "GET":
            self._listening.follow(response, known.recording, listener, ListenForm.AUDIO, known.kept.size)
        return response

    def _listener(self, recording: Recording, scope: Scope, authorization: str | None) -> Listener | None:
        """Return who may hear it; None: nobody, or the long way must say."""
        address = scope["client"][0] if scope["client"] else None
        if scope["query_string"]:
            asked = QueryParams(scope["query_string"])
            if "rendition" in asked or "download" in asked:
                return None  # that is another file, or another name for it
            token = asked.get("token")
            grant = self._grant(token, recording) if token else None
            return Listener.by_link(grant, address) if grant is not None else None
        principal = self._principals.get(_hash(authorization)) if authorization else None
        if principal is None or not principal.may_see(recording.tenant_id):
            return None
        return Listener.of(principal, address)

    def _grant(self, token: str, recording: Recording) -> Grant | None:
        grant = self._services.links.now.check(token, recording.id, self._services.clock.now())
        return grant if isinstance(grant, Grant) and grant.is_for(recording) else None

    async def _ask(self, known: Recording) -> None:
        """Look at the row again before it is forgotten."""
        try:
            recording = await self._services.store.get(known.tenant_id, known.id)
        except NotFound:
            self._recordings.forget(known.id)
        except Unavailable:
            pass  # it is forgotten in its time
        else:
            if recording.state is not State.READY:
                self._recordings.forget(known.id)
            self.learn(recording, None, None)
        finally:
            del self._asking[known.id]


class QuickWay:
    """Puts the short way before the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer quickly, or pass the request on."""
        quick = getattr(scope["app"].state, "quick", None) if scope["type"] == "http" else None
        response = await quick.answer(scope) if quick is not None else None
        await (response or self._app)(scope, receive, send)


def _fields(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, str] | None:
    """Return the fields that decide; None where a foreign page asks, or a field comes twice."""
    found: dict[bytes, str] = {}
    for name, value in headers:
        if name in _DECIDING:
            if name == b"origin" or name in found:
                return None
            found[name] = value.decode("latin-1")
    return found


def _hash(authorization: str) -> str:
    """Keys are kept nowhere, not even in memory."""
    return hash_key(authorization)
