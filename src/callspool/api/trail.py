"""The way of what is heard into the audit log: together, a moment later, and never on a listener's time.

What happens in one process is collected and written at most half a second later, many entries in one transaction.
That is what a process that is killed can lose of the beginnings. A store that is away is waited for, with a bounded
number of entries; how many came beyond it is an entry too.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

import structlog

from callspool.domain.audit import CALLSPOOL, Act, By, Deed
from callspool.domain.errors import CallspoolError
from callspool.domain.ports.audit import AuditStore
from callspool.domain.ports.clock import Clock
from callspool.loop import for_ever

LOST: Final = "audit.lost"
_REST: Final = timedelta(seconds=0.5)
_LOOK: Final = timedelta(seconds=5)
"""How often what is collected is looked through for what is over."""
_TOGETHER: Final = 100
"""Entries in one transaction: bounds the time for which other writes wait."""
_MOST_WAITING: Final = 10_000
_LAST_WORDS: Final = timedelta(seconds=3)
"""What a process that ends gives to the store."""

_log = structlog.get_logger("callspool.api")

Source = Callable[[bool], Iterable[Deed]]
"""Returns what is to be written by now; with True, all that there is."""


class Trail:
    """What waits to be written. `run` it once."""

    def __init__(self, store: AuditStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._sources: list[Source] = []
        self._waiting: deque[Deed] = deque()
        self._lost = 0
        self._something = asyncio.Event()
        self._writing = asyncio.Lock()

    def follow(self, source: Source) -> None:
        """Ask *source* from time to time, and at the end."""
        self._sources.append(source)

    def add(self, act: Act, by: By) -> None:
        """Let it be written soon."""
        self.put(Deed(act, by, self._clock.now()))
        self._something.set()

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        await for_ever("audit", self._turn, rest=_REST)

    async def close(self) -> None:
        """Write all that there is, if the store takes it in a few seconds."""
        self._collect(everything=True)
        try:
            async with asyncio.timeout(_LAST_WORDS.total_seconds()):
                await self._write()
        except (CallspoolError, TimeoutError) as error:
            why = str(error) or f"no answer within {_LAST_WORDS.total_seconds():g} s"  # a time limit says nothing
            _log.error("audit.not_written", entries=len(self._waiting) + self._lost, error=why)

    async def _turn(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK.total_seconds()):
                await self._something.wait()
        self._something.clear()
        self._collect(everything=False)
        # Shielded: what is cancelled while it is committed would be written again at the end.
        await asyncio.shield(self._write())

    def _collect(self, *, everything: bool) -> None:
        for source in self._sources:
            for deed in source(everything):
                self.put(deed)

    def put(self, deed: Deed) -> None:
        """Let it be written with what comes next."""
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(deed)
        else:
            self._lost += 1

    async def _write(self) -> None:
        async with self._writing:
            while self._waiting or self._lost:
                some = [self._waiting[index] for index in range(min(_TOGETHER, len(self._waiting)))]
                lost = self._lost
                gap = [Deed(Act(LOST, "audit", detail={"entries": lost}), CALLSPOOL, self._clock.now())] if lost else []
                await self._store.audit_all([*some, *gap])
                self._lost -= lost
                for _ in some:
                    self._waiting.popleft()
