"""Live events: one reader of the store's event log for each process, handed to every client that listens.

The log is the truth and the bulletin only a hint. A client that reads too slowly is cut: it comes back with
the last number that it saw and misses nothing. Nobody's reading is held up by another's.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Final

import structlog

from callspool.api.schemas import LiveEvent, RecordingView, sentence
from callspool.domain.errors import Unavailable
from callspool.domain.ids import TenantId
from callspool.domain.ports.scheduler import Bulletin
from callspool.domain.ports.store import Store
from callspool.domain.recording import HistoryEntry, Recording

BATCH: Final = 500
MOST_BEHIND: Final = 1000
"""Events that may wait for one client before it is cut."""
AGAIN_S: Final = 1.0


class Listener:
    """One client's queue."""

    def __init__(self, tenant_id: TenantId | None, who: str | None = None) -> None:
        self.tenant_id = tenant_id
        self.who = who
        self._queue: asyncio.Queue[LiveEvent | None] = asyncio.Queue(MOST_BEHIND + 1)
        self.cut = False

    def offer(self, event: LiveEvent) -> None:
        """Hand over an event, or cut the client if it is too far behind."""
        if self._queue.qsize() >= MOST_BEHIND:
            self.end()
        elif not self.cut:
            self._queue.put_nowait(event)

    def end(self) -> None:
        """Let the client's stream end after what is in its queue."""
        if not self.cut:
            self.cut = True
            self._queue.put_nowait(None)

    async def next(self) -> LiveEvent | None:
        """Return the next event; None: the stream ends."""
        return await self._queue.get()


class Live:
    """The hub. `run` it once; `listen` as often as there are clients."""

    def __init__(self, store: Store, bulletin: Bulletin) -> None:
        self._store = store
        self._bulletin = bulletin
        self._listeners: set[Listener] = set()
        self._seq: int | None = None
        self._closed = False
        self._log = structlog.get_logger("callspool.live")

    @contextlib.contextmanager
    def listen(self, tenant_id: TenantId | None, who: str | None = None) -> Iterator[Listener]:
        """Let a client listen to one tenant's events, or to all. From here on it misses none. *who*: for `count_of`."""
        listener = Listener(tenant_id, who)
        self._listeners.add(listener)
        if self._closed:
            listener.end()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    @property
    def count(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def count_of(self, who: str) -> int:
        """How many listen for one key or user."""
        return sum(listener.who == who for listener in self._listeners)

    async def run(self) -> None:
        """Read what is new at every hint, for ever. A part that is away is waited for."""
        while not self._closed:
            try:
                await self.position()
                async for _ in self._bulletin.listen():
                    await self._pass_on()
            except Unavailable as error:
                self._log.warning("live.waiting", error=error.code)
            except Exception:  # the outermost loop: every client's stream hangs on it
                self._log.exception("live.failed")
            await asyncio.sleep(AGAIN_S)

    def close(self) -> None:
        """End every stream: their clients come back to another process, or later."""
        self._closed = True
        for listener in self._listeners:
            listener.end()

    async def position(self) -> int:
        """Return the number up to which events have been handed out."""
        if self._seq is None:
            seq = await self._store.last_seq()
            if self._seq is None:  # it may have been set meanwhile, and handed out from there
                self._seq = seq
        return self._seq

    async def since(self, tenant_id: TenantId | None, seq: int) -> AsyncGenerator[LiveEvent]:
        """Yield what the log has after *seq*, for a client that comes back."""
        while entries := await self._store.events_after(tenant_id, seq, limit=BATCH):
            for event in await self._views(entries):
                yield event
            seq = entries[-1].seq
            if len(entries) < BATCH:
                return

    async def _pass_on(self) -> None:
        seq = await self.position()
        while entries := await self._store.events_after(None, seq, limit=BATCH):
            heard = [entry for entry in entries if self._listening(entry.tenant_id)]
            for event in await self._views(heard):
                for listener in tuple(self._listeners):
                    if listener.tenant_id is None or listener.tenant_id == event.recording.tenant_id:
                        listener.offer(event)
            self._seq = seq = entries[-1].seq

    def _listening(self, tenant_id: TenantId) -> bool:
        return any(listener.tenant_id in (None, tenant_id) for listener in self._listeners)

    async def _views(self, entries: Sequence[HistoryEntry]) -> list[LiveEvent]:
        seen: dict[str, Recording] = {}
        for entry in entries:
            if entry.recording_id not in seen:
                seen[entry.recording_id] = await self._store.get(entry.tenant_id, entry.recording_id)
        return [_view(entry, seen[entry.recording_id]) for entry in entries]


def _view(entry: HistoryEntry, recording: Recording) -> LiveEvent:
    return LiveEvent(
        seq=entry.seq,
        event=entry.event,
        state=entry.state,
        version=entry.version,
        reason=entry.reason,
        sentence=sentence(entry.reason),
        at=entry.at,
        recording=RecordingView.of(recording),
    )
