"""Work on many recordings that a person asked for at once: kept in the store, done in bounded steps by who is up."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from callspool.domain.ids import AccountId, TenantId
from callspool.domain.reasons import Reason


class OperationKind(StrEnum):
    """What is done."""

    RETRY = "retry"
    """Failed recordings are queued again."""


class OperationState(StrEnum):
    """Where it stands."""

    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class FailedFilter:
    """Which failed recordings. None means any."""

    tenant_id: TenantId | None = None
    account_id: AccountId | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One such piece of work and how far it is."""

    id: str
    """``op_`` and 32 hex digits."""
    kind: OperationKind
    wanted: FailedFilter
    owner: TenantId | None
    """Whose it is: None is the operator's, whom alone it exists for."""
    actor: str
    matched: int
    """Counted when it began."""
    done: int
    skipped: int
    """Matched, and then not failed any more when their turn came. Known at the end."""
    state: OperationState
    started_at: datetime
    ended_at: datetime | None
