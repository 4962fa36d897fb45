"""What the scheduler knows: jobs, leases, settlements. Nothing of recordings.

What passes in each turn of a worker is a named tuple: made in about half the time of a frozen dataclass.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from callspool.domain.obstacle import Obstacle, ObstacleCode


class Lane(StrEnum):
    """Which of a tenant's two lines a job waits in."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Job(NamedTuple):
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


class Lease(NamedTuple):
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


class Signal(StrEnum):
    """What a job's end says of its pool. All workers' signals together set the pool's pace."""

    NONE = "none"
    """Nothing: it ended on our side."""
    OK = "ok"
    """It answers, if only with "there is no such thing"."""
    THROTTLED = "throttled"
    """It asked for less: the limit in force is halved, and grows again with each good job."""
    FAILED = "failed"
    """It is in trouble: five in a row open the circuit."""
    REFUSED = "refused"
    """It does not accept our credentials: the circuit opens at once, for ``pause_pool_ms``."""


class Settlement(NamedTuple):
    """The end of a lease. ``delay_ms`` puts the job off (0: back to the backlog); ``pause_pool_ms`` its account."""

    job_id: str
    token: str
    verdict: Verdict
    delay_ms: int = 0
    pause_pool_ms: int = 0
    signal: Signal = Signal.NONE
    latency_ms: int = 0
    """From the request to the first byte; 0: not measured."""


class Turn(NamedTuple):
    """The answer to one turn of a worker's loop."""

    leases: tuple[Lease, ...]
    next_due_ms: int | None
    """Time until a deferral, a pause or a lease comes due: ask again then, if nothing wakes you earlier."""
    unheard: str = ""
    """What is wrong where a part has not answered. It keeps what it was handed: ask again when due, room or not."""


class Stop(StrEnum):
    """Why a job's work must end before its time."""

    LOST = "lost"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """What of a tenant the scheduler heeds."""

    tenant: str
    slots: int
    weight: float
    paused: bool


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """What of a pool the scheduler heeds."""

    pool: str
    limit: int
    paused: bool


@dataclass(frozen=True, slots=True)
class Names:
    """Pools and tenants by name."""

    pools: frozenset[str]
    tenants: frozenset[str]


@dataclass(frozen=True, slots=True)
class TenantLoad:
    """A tenant's scheduler figures, for metrics and status."""

    tenant: str
    slots: int
    running: int
    waiting: int
    deferred: int
    oldest_wait_ms: int


class Circuit(StrEnum):
    """Whether a pool's jobs are let through."""

    CLOSED = "closed"
    """They are."""
    OPEN = "open"
    """None is, for a while: too many failed, or the credentials were refused."""
    PROBING = "probing"
    """One tries alone; how it ends decides."""


@dataclass(frozen=True, slots=True)
class PoolLoad:
    """A pool's scheduler figures. Times are the server's, in ms since 1970."""

    pool: str
    limit: int
    """In force now."""
    set_limit: int
    paused: bool
    """By a person."""
    paused_until_ms: int
    """By a provider's answer; in the past: not any more."""
    cause: str
    probing: bool
    running: int
    waiting: int
    oldest_wait_ms: int
    """How long the first of what waits has waited; 0: nothing waits."""
    retries: float
    """What is left of its retry budget."""
    now_ms: int

    @property
    def circuit(self) -> Circuit:
        """Say whether its jobs are let through."""
        if not self.probing:
            return Circuit.CLOSED
        return Circuit.OPEN if self.now_ms < self.paused_until_ms else Circuit.PROBING


@dataclass(frozen=True, slots=True)
class Why:
    """Where a job is, and all that decides when it runs. Times are the server's, in ms since 1970."""

    place: Place
    pool: str = ""
    tenant: str = ""
    ahead: int = 0
    """Jobs before it in its tenant's line."""
    slots: int | None = None
    """None: the scheduler has not been told."""
    slots_held: int = 0
    kept_for: str = ""
    """The pool that the tenant's only free slot is for, where it is another one."""
    tenant_paused: bool = False
    limit: int = 0
    """In force now: lower than the one that was set after "slow down", 1 while one job tries alone."""
    set_limit: int | None = None
    pool_held: int = 0
    pool_paused: bool = False
    paused_until_ms: int = 0
    cause: str = ""
    """The signal that paused the pool."""
    probing: bool = False
    due_ms: int = 0
    worker: str = ""
    opens_ms: int = 0
    """Until then nothing is granted, because the scheduler's data was, or may have been, lost."""
    closed: bool = False
    """It is drained: nothing is taken or granted."""
    now_ms: int = 0

    def sentence(self, *, for_operator: bool = True) -> str:
        """Say in one sentence why it does not run, or that it does. A tenant learns no figures that are not its own."""
        obstacle = self.obstacle(for_operator=for_operator)
        if obstacle is None:
            return f"It runs on worker {self.worker}." if for_operator else "It is being fetched."
        if self.place is Place.UNKNOWN and not self.closed:
            return "The scheduler does not know it."
        if self.place is not Place.WAITING:
            return f"{obstacle.sentence}."
        return f"{obstacle.sentence}; it is {_ordinal(self.ahead + 1)} in its line."

    def obstacle(self, *, for_operator: bool = True) -> Obstacle | None:
        """Name what it waits for; None: it runs. A tenant learns no figures that are not its own."""
        match self.place:
            case Place.RUNNING:
                return None
            case Place.UNKNOWN:
                return Obstacle(ObstacleCode.DRAINING if self.closed else ObstacleCode.ON_ITS_WAY)
            case Place.DEFERRED:
                return Obstacle(ObstacleCode.PUT_OFF, until=_time(self.due_ms))
        return self._of_the_scheduler() or self._of_the_limits(for_operator)

    def _of_the_scheduler(self) -> Obstacle | None:
        """It, where something was paused."""
        if self.closed:
            return Obstacle(ObstacleCode.DRAINING)
        if self.now_ms < self.opens_ms:
            return Obstacle(ObstacleCode.RESTARTED, until=_time(self.opens_ms))
        if self.pool_paused:
            return Obstacle(ObstacleCode.ACCOUNT_PAUSED, account=self.pool)
        if self.now_ms < self.paused_until_ms:
            code = _CAUSES.get(self.cause, ObstacleCode.ACCOUNT_RESTS)
            return Obstacle(code, account=self.pool, until=_time(self.paused_until_ms))
        if self.tenant_paused:
            return Obstacle(ObstacleCode.TENANT_PAUSED, tenant=self.tenant)
        return None

    def _of_the_limits(self, for_operator: bool) -> Obstacle:
        """It, where nothing is paused: what is full."""
        if not self.slots:
            code = ObstacleCode.TENANT_UNKNOWN if self.slots is None else ObstacleCode.TENANT_NO_SLOTS
            return Obstacle(code, tenant=self.tenant)
        if not self.set_limit:
            code = ObstacleCode.ACCOUNT_UNKNOWN if self.set_limit is None else ObstacleCode.ACCOUNT_NO_DOWNLOADS
            return Obstacle(code, account=self.pool)
        if self.slots_held >= self.slots:
            return Obstacle(ObstacleCode.SLOTS_BUSY, tenant=self.tenant, held=self.slots_held, limit=self.slots)
        if self.kept_for:
            return Obstacle(ObstacleCode.SLOT_KEPT, tenant=self.tenant, account=self.kept_for)
        if self.pool_held < self.limit:
            return Obstacle(ObstacleCode.NO_WORKER)
        if self.probing:
            return Obstacle(ObstacleCode.ACCOUNT_PROBED, account=self.pool)
        if not for_operator:
            return Obstacle(ObstacleCode.ACCOUNT_BUSY, account=self.pool)
        full = Obstacle(ObstacleCode.ACCOUNT_FULL, account=self.pool, held=self.pool_held, limit=self.limit)
        if self.limit >= self.set_limit:
            return full
        return replace(full, code=ObstacleCode.ACCOUNT_SLOWED, set_limit=self.set_limit)


_CAUSES: Final = {
    "throttled": ObstacleCode.ACCOUNT_THROTTLED,
    "failed": ObstacleCode.ACCOUNT_FAILING,
    "refused": ObstacleCode.ACCOUNT_REFUSED,
}


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
