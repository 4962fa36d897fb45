"""Recordings as they are now: one, some, or a list of them, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from callspool.domain.ids import AccountId, RecordingId, TenantId
from callspool.domain.reasons import Reason
from callspool.domain.recording import Recording, State


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, newest first."""

    recordings: tuple[Recording, ...]
    next_cursor: str | None
    """None: this was the last. A page that comes short, or empty, may have a next one: see `RecordingStore.list`."""


@dataclass(frozen=True, slots=True)
class RecordingFilter:
    """What to list. None means any."""

    tenant_id: TenantId | None = None
    account_id: AccountId | None = None
    states: frozenset[State] | None = None
    reason: Reason | None = None
    call_id: str | None = None
    provider_recording_id: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    search: str | None = None
    """An id, whole: of the call, of the recording at the provider, or our own; or a phone number of the call."""


class RecordingStore(Protocol):
    """Reads recordings."""

    async def find(self, recording_ids: Sequence[RecordingId]) -> Mapping[RecordingId, Recording]:
        """Return those of a bounded number of recordings that exist, of every tenant."""
        ...

    async def get(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
        """Return it or raise `NotFound`."""
        ...

    async def list(self, wanted: RecordingFilter, *, cursor: str | None, limit: int) -> Page:
        """Return one page by keyset, newest first. A malformed cursor raises `InvalidInput`.

        The work for one page is bounded, however many recordings there are. Where no index answers a combination
        of filters a page may therefore come short and still have a next one.
        """
        ...

    async def unfinished(self, after: RecordingId | None, *, limit: int) -> Sequence[Recording]:
        """Return recordings that are queued or fetching, by id after *after*: what the scheduler must know of."""
        ...
