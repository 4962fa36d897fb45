"""Every move of a recording: one guarded UPDATE and one row in the event log, in the caller's transaction.

The source states in a WHERE come from the domain's table of moves and are written down nowhere else. A worker's
move also names its attempt: under a newer one it changes nothing, which is the answer None.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from callspool.domain.backoff import LOST_LIMIT
from callspool.domain.errors import Conflict, NotFound
from callspool.domain.ids import RecordingId, TenantId, new_recording_id
from callspool.domain.ports import Notice, ProviderStatus, Recorded
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import MOVES, Event, Kept, Recording, State, sources
from callspool.store import reads, rows
from callspool.store.dialects import insert_or_ignore
from callspool.store.tables import accounts, events, recordings, tenants

Row_ = Row[Any]
_R: Final = recordings.c

_HAPPENING: Final[Mapping[ProviderStatus, tuple[Event, State]]] = {
    ProviderStatus.IN_PROGRESS: (Event.ANNOUNCE, State.ANNOUNCED),
    ProviderStatus.COMPLETED: (Event.ENQUEUE, State.QUEUED),
    ProviderStatus.ABSENT: (Event.VANISH, State.ABSENT),
}
"""What a notice makes of a recording that we see for the first time."""

_EVENTS_LOCK: Final = 0x63735F65
"""An arbitrary number, the same in every process: PostgreSQL's name of the lock below."""


@dataclass(frozen=True, slots=True)
class Step:
    """Who moves it, and when."""

    actor: str
    at: datetime


def record(connection: Connection, step: Step, notice: Notice) -> Recorded:
    """Insert the recording, or advance it, or leave it as it is."""
    event, state = _HAPPENING[notice.status]
    detail = None if notice.error_code is None else f"provider error {notice.error_code}"
    said = {
        "call_id": rows.clean(notice.call_id),
        "announced_duration_s": notice.duration_s,
        "announced_channels": notice.channels,
        "source": rows.clean(notice.source),
        "started_at": notice.started_at,
    }
    fresh = insert_or_ignore(connection, recordings, recordings.c.account_id, recordings.c.provider_recording_id)
    known = (_R.account_id == notice.account_id) & (_R.provider_recording_id == notice.provider_recording_id)
    if connection.execute(select(_R.id).where(known)).first() is None:
        _check_owner(connection, notice)
        row = connection.execute(
            fresh.values(
                id=new_recording_id(int(step.at.timestamp() * 1000), secrets.token_bytes(10)),
                tenant_id=notice.tenant_id,
                account_id=notice.account_id,
                provider_recording_id=notice.provider_recording_id,
                state=state.value,
                version=1,
                attempt=0,
                tries=0,
                not_ready=0,
                lost=0,
                detail=detail,
                created_at=step.at,
                updated_at=step.at,
                **said,
            ).returning(recordings)
        ).first()
        if row is not None:
            _log(connection, step, event, row, None, detail)
            return Recorded(rows.recording(row), changed=True)
    # What the provider leaves out of a later notice it has not taken back.
    values: dict[str, Any] = {name: func.coalesce(value, _R[name]) for name, value in said.items() if value is not None}
    if detail is not None:
        values["detail"] = detail
    moved = _move(connection, step, event, known, values, detail=detail)
    if moved is not None:
        return Recorded(rows.recording(moved), changed=True)
    return Recorded(rows.recording(connection.execute(select(recordings).where(known)).one()), changed=False)


def claim(connection: Connection, step: Step, recording_id: RecordingId) -> Recording | None:
    """Give out the next attempt; a dead worker's is ended first."""
    this = _R.id == recording_id
    issued = {"attempt": _R.attempt + 1, "not_before": None}
    row = _move(connection, step, Event.CLAIM, this, issued)
    if row is not None:
        return rows.recording(row)
    expired = _move(
        connection,
        step,
        Event.EXPIRE,
        this,
        {"lost": _R.lost + 1, "not_before": None, **_why(Reason.WORKER_LOST, _LOST)},
        reason=Reason.WORKER_LOST,
        detail=_LOST,
    )
    if expired is None:
        reads.get(connection, None, recording_id)
        return None
    if expired.lost >= LOST_LIMIT:
        detail = f"{expired.lost} workers were lost over it"
        why = _why(Reason.WORKER_LOST, detail)
        _move(connection, step, Event.GIVE_UP, this, why, reason=Reason.WORKER_LOST, detail=detail)
        return None
    row = _move(connection, step, Event.CLAIM, this, issued)
    return None if row is None else rows.recording(row)


_LOST: Final = "the worker did not report back"


def keep(connection: Connection, step: Step, recording_id: RecordingId, attempt: int, kept: Kept) -> Recording | None:
    """fetching → ready, with what the vault holds."""
    values = {
        "ready_at": step.at,
        "not_before": None,
        "lost": 0,
        "vault_key": kept.vault_key,
        "sha256": kept.sha256,
        "size": kept.size,
        "content_type": kept.content_type,
        "channels": kept.channels,
        "sample_rate": kept.sample_rate,
        "duration_s": kept.duration_s,
        "verified": kept.verified,
        **_why(None, None),
    }
    return _worker_move(connection, step, Event.KEEP, recording_id, attempt, values)


def defer(
    connection: Connection,
    step: Step,
    recording_id: RecordingId,
    attempt: int,
    *,
    reason: Reason,
    detail: str,
    budget: Budget,
    not_before: datetime,
) -> Recording | None:
    """fetching → queued for later."""
    # A worker that reports back lived: what was charged for dead ones is forgotten, unless it reports one itself.
    values = {"lost": 0, **_charge(budget), "not_before": not_before}
    return _worker_move(connection, step, Event.DEFER, recording_id, attempt, values, reason=reason, detail=detail)


def give_up(
    connection: Connection,
    step: Step,
    recording_id: RecordingId,
    attempt: int,
    *,
    reason: Reason,
    detail: str,
    budget: Budget,
) -> Recording | None:
    """fetching → failed."""
    values = {**_charge(budget), "not_before": None}
    return _worker_move(connection, step, Event.GIVE_UP, recording_id, attempt, values, reason=reason, detail=detail)


def hand_back(connection: Connection, step: Step, recording_id: RecordingId, attempt: int) -> Recording | None:
    """fetching → queued, as it was."""
    return _worker_move(connection, step, Event.HAND_BACK, recording_id, attempt, {"not_before": None})


def cancel(connection: Connection, step: Step, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
    """Stop it, or raise."""
    return _person_move(connection, step, Event.CANCEL, tenant_id, recording_id, {"not_before": None})


def retry(connection: Connection, step: Step, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
    """Queue it again with fresh budgets, or raise."""
    values = {"tries": 0, "not_ready": 0, "lost": 0, "not_before": None, **_why(None, None)}
    return _person_move(connection, step, Event.RETRY, tenant_id, recording_id, values)


def hasten(connection: Connection, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
    """Let a queued recording be due now. It does not move: no version, no event."""
    connection.execute(
        update(recordings)
        .where(_R.id == recording_id, *reads.of_tenant(tenant_id), _R.state.in_(_names(Event.CLAIM)))
        .values(not_before=None)
    )
    return reads.get(connection, tenant_id, recording_id)


def _worker_move(
    connection: Connection,
    step: Step,
    event: Event,
    recording_id: RecordingId,
    attempt: int,
    values: Mapping[str, Any],
    *,
    reason: Reason | None = None,
    detail: str | None = None,
) -> Recording | None:
    ours = (_R.id == recording_id) & (_R.attempt == attempt)
    # GIVE_UP is possible from ``queued`` too, but that is not a worker's to do.
    ours &= _R.state == State.FETCHING.value
    detail = rows.clean(detail)
    why = {} if reason is None else _why(reason, detail)
    row = _move(connection, step, event, ours, {**values, **why}, reason=reason, detail=detail)
    return None if row is None else rows.recording(row)


def _person_move(
    connection: Connection,
    step: Step,
    event: Event,
    tenant_id: TenantId | None,
    recording_id: RecordingId,
    values: Mapping[str, Any],
) -> Recording:
    theirs = _R.id == recording_id
    for condition in reads.of_tenant(tenant_id):
        theirs &= condition
    row = _move(connection, step, event, theirs, values)
    if row is not None:
        return rows.recording(row)
    found = reads.get(connection, tenant_id, recording_id)
    raise Conflict(f"This recording is {found.state}: there is nothing to {event}.")


def _move(
    connection: Connection,
    step: Step,
    event: Event,
    where: ColumnElement[bool],
    values: Mapping[str, Any],
    *,
    reason: Reason | None = None,
    detail: str | None = None,
) -> Row_ | None:
    """Move the one recording that *where* names, if it is in a state that *event* leads out of."""
    targets = {MOVES[source, event] for source in sources(event)}
    if not targets:
        return None
    (target,) = targets
    row = connection.execute(
        update(recordings)
        .where(where, _R.state.in_(_names(event)))
        .values(state=target.value, version=_R.version + 1, updated_at=step.at, **values)
        .returning(recordings)
    ).first()
    if row is not None:
        _log(connection, step, event, row, reason, detail)
    return row


def _names(event: Event) -> list[str]:
    return sorted(state.value for state in sources(event))


def _log(
    connection: Connection, step: Step, event: Event, row: Row_, reason: Reason | None, detail: str | None
) -> None:
    if connection.dialect.name == "postgresql":
        # Numbers are given out before the commit, and transactions may commit in another order: a reader that
        # saw 8 would never come back for 7. So from the number to the commit there is one transaction at a time;
        # PostgreSQL lets go of the lock only after the rows are visible. SQLite has one writer by nature.
        connection.execute(select(func.pg_advisory_xact_lock(_EVENTS_LOCK)))
    connection.execute(
        insert(events).values(
            recording_id=row.id,
            tenant_id=row.tenant_id,
            event=event.value,
            state=row.state,
            version=row.version,
            attempt=row.attempt,
            at=step.at,
            reason=None if reason is None else reason.value,
            detail=detail,
            actor=rows.clean(step.actor),
        )
    )


def _why(reason: Reason | None, detail: str | None) -> dict[str, Any]:
    return {"reason": None if reason is None else reason.value, "detail": detail}


def _charge(budget: Budget) -> dict[str, Any]:
    match budget:
        case Budget.TRIES:
            return {"tries": _R.tries + 1}
        case Budget.NOT_READY:
            return {"not_ready": _R.not_ready + 1}
        case Budget.LOST:
            return {"lost": _R.lost + 1}
        case Budget.NONE:
            return {}


def _check_owner(connection: Connection, notice: Notice) -> None:
    for table, name in ((tenants, notice.tenant_id), (accounts, notice.account_id)):
        if connection.execute(select(table.c.id).where(table.c.id == name)).first() is None:
            raise NotFound(f"There is no {table.name.removesuffix('s')} {name!r}.")
