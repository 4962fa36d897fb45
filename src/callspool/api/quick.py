"""The short way for the one request that comes by the thousand: a range of a recording that is being played.

A player asks for the same recording again and again. Its row and its key are remembered for a second, so that a
range costs a signature, a look-up in memory and a read. Whatever is not exactly that, a request from a foreign page
among it, goes the long way, through `routes.audio`, which alone decides what is refused and how.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from time import monotonic
from typing import Final, Generic, TypeVar

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from callspool.api.auth import Principal
from callspool.api.problems import Refusal
from callspool.api.ready import ready_response
from callspool.api.services import Services
from callspool.domain.errors import CallspoolError
from callspool.domain.ids import RecordingId
from callspool.domain.keys import hash_key
from callspool.domain.recording import Recording, State
from callspool.playback.tokens import ANY_ATTEMPT, Grant, Links

MEMORY: Final = timedelta(seconds=1)
"""How long a key that was revoked, or a recording that was deleted, may still be played."""

_MOST: Final = 4096
_PATH: Final = re.compile(r"/api/recordings/(rec_[0-9a-f]{32})/audio")

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values for a second each, and a bounded number of them."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._values: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """Return what was put there in the last second."""
        until, value = self._values.get(key, (0.0, None))
        return value if self._clock() < until else None

    def put(self, key: K, value: V) -> None:
        """Remember it for a second."""
        if len(self._values) >= _MOST:
            self._values.clear()
        self._values[key] = (self._clock() + MEMORY.total_seconds(), value)


class Quick:
    """What one process remembers of the long way's answers."""

    def __init__(self, services: Services) -> None:
        self.links = Links(services.secret_key)
        self._services = services
        self._recordings: Recent[RecordingId, Recording] = Recent()
        self._principals: Recent[str, Principal] = Recent()

    def learn(self, recording: Recording, authorization: str | None, principal: Principal | None) -> None:
        """Remember a recording that is ready, and whose key has asked for it."""
        if recording.state is State.READY:
            self._recordings.put(recording.id, recording)
            if authorization is not None and principal is not None:
                self._principals.put(_hash(authorization), principal)

    async def answer(self, scope: Scope) -> Response | None:
        """Return the response to a request that is like one before; None: it goes the long way."""
        found = _PATH.fullmatch(scope["path"])
        if found is None or scope["method"] not in ("GET", "HEAD"):
            return None
        recording = self._recordings.get(RecordingId(found[1]))
        if recording is None or recording.kept is None:
            return None
        fields = Headers(scope=scope)
        if "origin" in fields or not self._may_hear(recording, scope["query_string"], fields):
            return None
        try:
            response = await ready_response(self._services, recording, recording.kept, scope["method"], fields)
        except (CallspoolError, Refusal):
            return None  # the long way says what is wrong
        return response if response.status_code < HTTPStatus.BAD_REQUEST else None

    def _may_hear(self, recording: Recording, query: bytes, fields: Headers) -> bool:
        if query:
            token = QueryParams(query).get("token")
            grant = self.links.check(token, recording.id, self._services.clock.now()) if token else None
            return (
                isinstance(grant, Grant)
                and grant.tenant_id == recording.tenant_id
                and grant.attempt in (ANY_ATTEMPT, recording.attempt)
            )
        authorization = fields.get("authorization")
        principal = self._principals.get(_hash(authorization)) if authorization else None
        return principal is not None and principal.may_see(recording.tenant_id)


class QuickWay:
    """Puts the short way before the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer quickly, or pass the request on."""
        quick = getattr(scope["app"].state, "quick", None) if scope["type"] == "http" else None
        response = await quick.answer(scope) if quick is not None else None
        await (response or self._app)(scope, receive, send)


def _hash(authorization: str) -> str:
    """Keys are kept nowhere, not even in memory."""
    return hash_key(authorization)
