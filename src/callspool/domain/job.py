"""What the scheduler knows: jobs, leases, settlements. Nothing of recordings."""

from dataclasses import dataclass
from enum import StrEnum


class Lane(StrEnum):
    """Which of a tenant's two lines a job waits in."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Job:
    """A unit of work by its names."""

    id: str
    """The recording's id."""
    pool: str
    """The account's id."""
    tenant: str
    lane: Lane = Lane.BULK


class Place(StrEnum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Submitted:
    """The answer to a submit: was the job taken, or was it there already (joined), and where is it now."""

    accepted: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's right to run a job until ``expires_ms`` (server clock), while renewed."""

    job: Job
    token: str
    """Unique to this grant; a settle or renew with another one changes nothing."""
    valid_for_ms: int
    """From the moment before the claim was sent, by the holder's own monotonic clock."""


class Verdict(StrEnum):
    """How a job left its worker."""

    DONE = "done"
    DEFER = "defer"


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a lease. ``delay_ms`` puts the job off (0: back to the backlog); ``pause_pool_ms`` its account."""

    job_id: str
    token: str
    verdict: Verdict
    delay_ms: int = 0
    pause_pool_ms: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer to one turn of a worker's loop."""

    leases: tuple[Lease, ...]
    next_due_ms: int | None
    """Time until a deferral, a pause or a lease comes due: ask again then, if nothing wakes you earlier."""


class Stop(StrEnum):
    """Why a job's work must end before its time."""

    LOST = "lost"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class TenantLoad:
    """A tenant's scheduler figures, for metrics and status."""

    tenant: str
    slots: int
    running: int
    waiting: int
    deferred: int
    oldest_wait_ms: int
