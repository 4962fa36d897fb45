"""Backfills and completeness: what the providers list beside what is here. For the operator.

A route only writes down what shall be listed; a server process finds it in the store within seconds.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from callspool.api.auth import Operator
from callspool.api.problems import responses
from callspool.api.services import ServicesOf
from callspool.domain.backfill import Backfill, BackfillState, DayReport
from callspool.domain.errors import InvalidInput
from callspool.domain.ids import AccountId
from callspool.domain.reasons import Reason

router = APIRouter(prefix="/api", tags=["backfills"])

_MOST_SHOWN = 100
_MOST_DAYS = 366


class BackfillWish(BaseModel):
    """What to list."""

    model_config = ConfigDict(extra="forbid")

    account_id: str
    since: AwareDatetime = Field(description="The days are listed whole: from the beginning of this one, in UTC.")
    until: AwareDatetime | None = Field(default=None, description="Before this. Null: until now.")
    dry_run: bool = Field(default=False, description="Only count: insert nothing.")


class BackfillView(BaseModel):
    """A backfill and how far it is."""

    id: str
    account_id: str
    since: datetime
    until: datetime
    dry_run: bool
    state: BackfillState
    listed: int
    inserted: int = Field(description="In a dry run: what would be.")
    known: int
    vanished: int = Field(description="Listed once and not any more. What is kept of it stays.")
    windows_done: int
    windows: int
    eta_s: float | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, backfill: Backfill, now: datetime) -> Self:
        """Return what may be shown of *backfill*."""
        eta = backfill.eta(now)
        same = (
            *("id", "account_id", "since", "until", "dry_run", "state", "listed", "inserted", "known", "vanished"),
            *("windows_done", "windows", "error", "created_at", "started_at", "ended_at"),
        )
        return cls(
            eta_s=None if eta is None else eta.total_seconds(), **{name: getattr(backfill, name) for name in same}
        )


class BackfillList(BaseModel):
    """The newest backfills, newest first."""

    backfills: list[BackfillView]


class DayView(BaseModel):
    """What became of all that the provider lists of a day (UTC): each recording is in exactly one figure."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    listed_at: datetime | None = Field(description="When all of it was last listed. Null: nobody did.")
    listed: int
    kept: int
    absent: int
    failed: dict[Reason, int]
    cancelled: int
    purged: int
    pending: int
    missing: Sequence[str] = Field(description="Provider's ids of what is not here at all: the first hundred.")
    missing_count: int
    vanished: int = Field(description="Was listed and is no longer; not among `listed`.")

    @classmethod
    def of(cls, report: DayReport) -> Self:
        """Return what may be shown of *report*."""
        return cls.model_validate(report)


class Completeness(BaseModel):
    """Each day that has begun, oldest first; those that nobody listed too."""

    days: list[DayView]


@router.get("/backfills", operation_id="listBackfills", responses=responses(403))
async def list_backfills(services: ServicesOf, _: Operator) -> BackfillList:
    """List the newest backfills that somebody asked for. For the operator."""
    now = services.clock.now()
    found = await services.store.backfills(limit=_MOST_SHOWN)
    return BackfillList(backfills=[BackfillView.of(one, now) for one in found])


@router.post("/backfills", operation_id="startBackfill", status_code=202, responses=responses(403, 404, 422))
async def start_backfill(wish: BackfillWish, services: ServicesOf, caller: Operator) -> BackfillView:
    """Ask for an account to be listed. It begins within seconds, and goes on whatever dies. For the operator."""
    now = services.clock.now()
    backfill = await services.store.add_backfill(
        AccountId(wish.account_id), wish.since, wish.until, dry_run=wish.dry_run, by=caller.by
    )
    return BackfillView.of(backfill, now)


@router.get("/backfills/{id}", operation_id="getBackfill", responses=responses(403, 404))
async def get_backfill(id: str, services: ServicesOf, _: Operator) -> BackfillView:  # noqa: A002 - its JSON name
    """Return a backfill and how far it is. For the operator."""
    return BackfillView.of(await services.store.backfill(id), services.clock.now())


@router.delete("/backfills/{id}", operation_id="cancelBackfill", responses=responses(403, 404, 409))
async def cancel_backfill(id: str, services: ServicesOf, caller: Operator) -> BackfillView:  # noqa: A002
    """Let a backfill end where it is; what it inserted stays. For the operator."""
    return BackfillView.of(await services.store.cancel_backfill(id, by=caller.by), services.clock.now())


@router.get("/completeness", operation_id="getCompleteness", responses=responses(403, 404, 422))
async def get_completeness(
    services: ServicesOf,
    _: Operator,
    account_id: str,
    since: Annotated[date, Query(alias="from", description="The first day, in UTC.")],
    before: Annotated[date, Query(description="The day after the last one.")],
) -> Completeness:
    """Report, by day, what became of all that the provider listed. For the operator."""
    if not 0 < (before - since).days <= _MOST_DAYS:
        raise InvalidInput("before", f"before must be 1 to {_MOST_DAYS} days after from.")
    found = await services.store.completeness(AccountId(account_id), since, before)
    return Completeness(days=[DayView.of(one) for one in found])
