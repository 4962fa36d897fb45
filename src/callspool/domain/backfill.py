"""Listing at a provider what should be here: its runs, its progress, and what it found, day by day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from callspool.domain.audit import CALLSPOOL, By
from callspool.domain.ids import AccountId
from callspool.domain.reasons import Reason
from callspool.domain.recording import State

DAY = timedelta(days=1)
FURTHEST_BACK = timedelta(days=30)
"""How far a continuous backfill goes back at most, after however long an outage. Older days must be asked for."""


class BackfillState(StrEnum):
    """Where a backfill stands."""

    WAITING = "waiting"
    RUNNING = "running"
    """A process lists, or did until it died: then another goes on where it was."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNDER_WAY = frozenset({BackfillState.WAITING, BackfillState.RUNNING})


@dataclass(frozen=True, slots=True)
class Backfill:
    """One run over an account, a window (a day) after the other, oldest first."""

    id: str
    """``bf_`` and 32 hex digits that begin with the time."""
    account_id: AccountId
    since: datetime
    until: datetime
    """Before this."""
    dry_run: bool
    """It inserts nothing and marks nothing as vanished; it writes down what the provider listed."""
    sliding: bool
    """The account's continuous one, which begins again and again."""
    state: BackfillState
    position: datetime
    """All windows before this are done."""
    cursor: str | None
    """The provider's, of the next page within the window."""
    begun_at: datetime | None
    """When the first page of the window was asked for: what is not seen since then has vanished."""
    listed: int
    inserted: int
    """In a dry run: what would be."""
    vanished: int
    """Listed once, and not any more."""
    window_listed: int
    window_inserted: int
    error: str | None
    actor: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def known(self) -> int:
        """What was listed and was here already."""
        return max(self.listed - self.inserted, 0)

    @property
    def windows(self) -> int:
        """How many windows there are."""
        return count_windows(self.since, self.until)

    @property
    def windows_done(self) -> int:
        """How many of them are done."""
        return count_windows(self.since, min(self.position, self.until))

    def eta(self, now: datetime) -> timedelta | None:
        """Return how long the rest takes at the pace so far; None: nobody can say."""
        if self.state is not BackfillState.RUNNING or self.started_at is None or not self.windows_done:
            return None
        return (now - self.started_at) * ((self.windows - self.windows_done) / self.windows_done)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A recording as one page listed it."""

    provider_recording_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """What one page did: its sightings, how many were inserted, and the page that follows."""

    sightings: Sequence[Sighting]
    unread: Sequence[str]
    """Ids of entries that could not be understood: they count as missing on the window's day."""
    inserted: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class DayReport:
    """What became of all that the provider lists of a day: each is in exactly one of the figures."""

    day: date
    listed_at: datetime | None
    """When all of the day was last listed. None: nobody did; then the figures are of what a part of it showed."""
    listed: int = 0
    kept: int = 0
    absent: int = 0
    failed: Mapping[Reason, int] = field(default_factory=dict)
    cancelled: int = 0
    purged: int = 0
    pending: int = 0
    missing: Sequence[str] = ()
    """Provider's ids of what we do not have at all: the first hundred."""
    missing_count: int = 0
    vanished: int = 0
    """Was listed and is no longer; not among ``listed``. What we have of it we keep."""

    @property
    def is_unknown(self) -> bool:
        """Whether nothing of it was listed, so that nobody can say what is missing."""
        return self.listed_at is None and not self.listed and not self.vanished


class BackfillStore(Protocol):
    """The part of the store that backfills need. Raises `StoreUnavailable` where the database does not answer."""

    async def add_backfill(
        self, account_id: AccountId, since: datetime, until: datetime | None, *, dry_run: bool, by: By = CALLSPOOL
    ) -> Backfill:
        """Write down that it shall run; without *until* it goes until now, and today counts as listed.

        Raises `NotFound` for the account, `InvalidInput` for an empty span.
        """
        ...

    async def backfill(self, backfill_id: str) -> Backfill:
        """Return it or raise `NotFound`."""
        ...

    async def backfills(self, *, limit: int) -> Sequence[Backfill]:
        """Return the newest that somebody asked for, newest first."""
        ...

    async def cancel_backfill(self, backfill_id: str, *, by: By = CALLSPOOL) -> Backfill:
        """Let it end. Raises `NotFound`, or `Conflict` where it has ended."""
        ...

    async def ensure_sliding(self, account_id: AccountId, *, first_at: datetime) -> None:
        """See to it that the account has a continuous backfill; a new one is due at *first_at*."""
        ...

    async def claim_backfill(
        self, holder: str, lease: timedelta, *, sliding: bool, span: timedelta, only: str | None = None
    ) -> Backfill | None:
        """Take one that is due and that nobody holds; None: there is none. One that broke off goes on where it was.

        Of an account's runs that were asked for one is given out at a time, unless it is named by *only*.

        A continuous one that begins again covers the days of the last *span*, until now, and before them what it did
        not come to since: days of an outage, or of failures, as far as `FURTHEST_BACK`.
        """
        ...

    async def renew_backfill(self, backfill_id: str, holder: str, lease: timedelta) -> bool:
        """Hold it for longer. False: it was cancelled, or another has it now."""
        ...

    async def begin_window(self, backfill_id: str, holder: str, lease: timedelta) -> Backfill | None:
        """Begin the window at its position (again: what it counted so far is forgotten). None as in `renew`."""
        ...

    async def note_page(self, backfill_id: str, holder: str, lease: timedelta, step: Step) -> Backfill | None:
        """Write down, in one commit, what a page showed and where to go on. None as in `renew`.

        With the window's last page, what was listed before and not since the window began is marked as vanished.
        """
        ...

    async def release_backfill(self, backfill_id: str, holder: str, *, until: datetime | None = None) -> None:
        """Let another go on with it: at once, or not before *until*."""
        ...

    async def end_backfill(
        self, backfill_id: str, holder: str, *, error: str | None, next_at: datetime | None = None
    ) -> Backfill | None:
        """End it, well or with an *error*; a continuous one waits until *next_at* instead. None as in `renew`."""
        ...

    async def states_of(self, account_id: AccountId, provider_recording_ids: Sequence[str]) -> Mapping[str, State]:
        """Return the states of those of an account's recordings that we know. A bounded number is asked for."""
        ...

    async def completeness(self, account_id: AccountId, since: date, before: date) -> Sequence[DayReport]:
        """Report on each day until today, oldest first, those that nobody listed too. `NotFound` for the account."""
        ...


def midnight(at: datetime) -> datetime:
    """Return the beginning of the day, in UTC."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def window_end(position: datetime, until: datetime) -> datetime:
    """Return where the window that begins at *position* ends: with its day, at the latest."""
    return min(midnight(position) + DAY, until)


def count_windows(since: datetime, until: datetime) -> int:
    """Return how many windows lie between the two."""
    return 0 if until <= since else (midnight(until - timedelta(microseconds=1)) - midnight(since)).days + 1
