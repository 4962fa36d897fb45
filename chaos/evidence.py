"""What a run left to judge: the provider's log, the store, the vault, the answers. Plain values, easily made up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from callspool.domain.backfill import DayReport
from callspool.domain.recording import HistoryEntry, Recording
from callspool.simulator import Entry


@dataclass(frozen=True, slots=True)
class Limit:
    """A tenant's slots from a moment on (monotonic clock)."""

    tenant: str
    slots: int
    asked_at: float
    in_force_at: float
    """By then it held; the one before it may have held until then."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A worker that was stopped, by its process and on the monotonic clock."""

    pid: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Blow:
    """When something was done to a part, on the monotonic clock."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What a player was sent. ``whole``: the answer said that this was all."""

    recording_sid: str
    status: int
    sha256: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Peek:
    """What one tenant's key was answered about another's recording."""

    path: str
    status: int
    tells: str
    """What of the other tenant stood in the answer; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the healed system did with calls of its own, in the order in which downloads began: tenants."""

    slots: Mapping[str, int]
    most_at_once: Mapping[str, int]
    order: Sequence[str] = ()
    """One tenant's burst, and behind it one call of each other tenant, on an account for two."""
    equals: Sequence[str] = ()
    """All tenants' equal bursts, on the same account, for as long as each of them has something to wait for."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A ready recording's bytes, asked of the API as a player would."""

    recording_sid: str
    kept_sha256: str
    served_sha256: str
    provider_sha256: str


@dataclass(frozen=True, slots=True)
class Residue:
    """What a system holds on to at one moment."""

    descriptors: Mapping[str, Mapping[str, int]]
    """Open files, by process and kind."""
    memory: Mapping[str, int]
    """Resident bytes, by process."""
    spool_bytes: int
    keys: tuple[str, ...]
    """Of Valkey, those that stand for work."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One run."""

    log: Sequence[Entry] = ()
    acknowledged: frozenset[str] = frozenset()
    """Recordings whose completion was told by a callback that got 2xx. The rest is for the provider's list."""
    recordings: Sequence[Recording] = ()
    histories: Mapping[str, Sequence[HistoryEntry]] = field(default_factory=dict)
    """By our id."""
    limits: Sequence[Limit] = ()
    account_limits: Mapping[str, int] = field(default_factory=dict)
    """By the provider's id of the account."""
    freezes: Sequence[Freeze] = ()
    worker_pids: frozenset[int] = frozenset()
    wall_minus_monotonic: float = 0.0
    lease_s: float = 2.0
    stored: Sequence[Stored] = ()
    heard: Sequence[Heard] = ()
    peeks: Sequence[Peek] = ()
    running: Mapping[str, int] = field(default_factory=dict)
    """Slots that the scheduler says are taken, by tenant, when all is done."""
    probe: Probe | None = None
    emptied: int = 0
    """How often Valkey lost its data."""
    blows: Sequence[Blow] = ()
    provided: frozenset[str] = frozenset()
    """What the provider has of the account that was listed in the end."""
    listing: str = "done"
    """How that ended."""
    days: Sequence[DayReport] = ()
    """The report on it."""
    before: Residue | None = None
    after: Residue | None = None
    fallen: Sequence[str] = ()
    """Processes that no fault was meant to end, and that ended with a traceback."""
