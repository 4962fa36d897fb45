"""What happened to recordings: the event log, and what changed nothing beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.listening import Listen
from callspool.domain.ports.provider import ProviderStatus
from callspool.domain.recording import HistoryEntry, Recording


@dataclass(frozen=True, slots=True)
class Repeat:
    """A webhook that came and changed nothing."""

    at: datetime
    status: ProviderStatus


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that is known of what happened to a recording, each oldest first."""

    history: Sequence[HistoryEntry]
    repeats: Sequence[Repeat]
    listens: Sequence[Listen]


class HistoryStore(Protocol):
    """Reads the event log, which each move writes."""

    async def history(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Sequence[HistoryEntry]:
        """Return all that happened to it, oldest first. Raises `NotFound`."""
        ...

    async def note_repeat(self, recording: Recording, status: ProviderStatus) -> None:
        """Keep that a webhook came that changed nothing; 200 of a recording at most."""
        ...

    async def timeline(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Timeline:
        """Return all that happened to it, the newest of who listened, and what changed nothing. Raises `NotFound`."""
        ...

    async def events_after(self, tenant_id: TenantId | None, seq: int, *, limit: int) -> Sequence[HistoryEntry]:
        """Return the events with a higher number, in the order of their commits; none is ever skipped."""
        ...

    async def last_seq(self) -> int:
        """Return the highest event number, 0 where there is none."""
        ...
