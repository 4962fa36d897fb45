"""Which web pages may read an answer (CORS): a tenant's own list where it has one, else the one that is set for all.

Whose an answer is, is known only once somebody's key or link was looked at: the route notes it, and the headers are
written when the answer begins. A preflight bears no key, and neither does an answer that refuses one: they tell nothing
of anybody, and any page that some list names may read them. So may it learn that its link has expired.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from time import monotonic
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callspool.api.recent import MEMORY
from callspool.domain.errors import Unavailable
from callspool.domain.ids import TenantId
from callspool.domain.ports.registry import RegistryStore

ANY: Final = "*"

_OWNER: Final = "callspool.owner"


def belongs_to(connection: HTTPConnection, tenant_id: TenantId | None) -> None:
    """Note whose things the answer tells; None: the operator's."""
    connection.scope.setdefault("state", {})[_OWNER] = tenant_id


class Origins:
    """The lists as one process knows them: a change counts in all of them within a second."""

    def __init__(self, store: RegistryStore, for_all: Sequence[str], clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._for_all = frozenset(for_all)
        self._clock = clock
        self._own: Mapping[TenantId, frozenset[str]] = {}
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def of(self, tenant_id: TenantId | None) -> frozenset[str]:
        """Return those of a tenant; None: the operator, for whom the setting holds.

        Raises `Unavailable` where the tenant's list cannot be known.
        """
        return self._for_all if tenant_id is None else (await self._lists()).get(tenant_id, self._for_all)

    async def of_anybody(self) -> frozenset[str]:
        """Return all that are on any list. Raises `Unavailable`."""
        return self._for_all if ANY in self._for_all else self._for_all.union(*(await self._lists()).values())

    async def _lists(self) -> Mapping[TenantId, frozenset[str]]:
        async with self._reading:  # however many ask, the store is asked once
            if self._read_at is None or self._clock() - self._read_at > MEMORY.total_seconds():
                await self._read()
            return self._own

    async def _read(self) -> None:
        try:
            self._own = {id_: frozenset(given) for id_, given in (await self._store.origins()).items()}
        except Unavailable:
            if self._read_at is None:
                raise
        self._read_at = self._clock()  # with the store away, what was known last still holds


class Cors:
    """Writes the headers by which a browser lets a page of another origin read an answer."""

    def __init__(self, app: ASGIApp, for_all: Sequence[str]) -> None:
        self._app = app
        self._for_all = frozenset(for_all)
        self._policy = lru_cache(maxsize=256)(self._make)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or pass the request on and complete the answer's headers."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if "origin" not in headers:
            await self._policy(self._for_all)(scope, receive, send)
            return
        origins: Origins | None = getattr(scope["app"].state, "origins", None)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            policy = self._policy(await self._allowed(origins, {}))
            await policy(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                policy = self._policy(await self._allowed(origins, state))
                await policy.send(message, send, headers)
            else:
                await send(message)

        await self._app(scope, receive, complete)

    async def _allowed(self, origins: Origins | None, state: Mapping[str, TenantId | None]) -> frozenset[str]:
        if origins is None:
            return self._for_all
        try:
            return await (origins.of(state[_OWNER]) if _OWNER in state else origins.of_anybody())
        except Unavailable:
            return frozenset() if _OWNER in state else self._for_all  # nobody knows who may read a tenant's

    def _make(self, allowed: frozenset[str]) -> CORSMiddleware:
        return CORSMiddleware(
            self._app,
            allow_origins=allowed,  # no cookie says who asks: a foreign page gains nothing without a key or a link
            allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Range", "If-Range", "If-None-Match", "Last-Event-ID"],
            expose_headers=[
                "Accept-Ranges",
                "Content-Length",
                "Content-Range",
                "Content-Disposition",
                "ETag",
                "Retry-After",
            ],
            max_age=3600,
        )
