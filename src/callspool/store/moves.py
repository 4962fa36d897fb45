"""Every move of a recording: one guarded UPDATE and one row in the event log, in the caller's transaction.

A worker's move also names its attempt: under a newer one it changes nothing, which is the answer None.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Executable, Row
from sqlalchemy.exc import IntegrityError

from callspool.domain.backoff import LOST_LIMIT
from callspool.domain.errors import Conflict, NotFound
from callspool.domain.ids import RecordingId, TenantId, new_recording_id
from callspool.domain.ports.provider import Notice, ProviderStatus, Recorded
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Call, Event, Kept, Recording, State
from callspool.store import holds, outbox, paces, reads, rows, statements

_HAPPENING: Final[Mapping[ProviderStatus, tuple[Event, State]]] = {
    ProviderStatus.IN_PROGRESS: (Event.ANNOUNCE, State.ANNOUNCED),
    ProviderStatus.COMPLETED: (Event.ENQUEUE, State.QUEUED),
    ProviderStatus.ABSENT: (Event.VANISH, State.ABSENT),
}
"""What a notice makes of a recording that we see for the first time."""

_NOT_REPORTED: Final = "the worker did not report back"


@dataclass(frozen=True, slots=True)
class Step:
    """Who moves it, and when."""

    actor: str
    at: datetime
    http_status: int | None = None
    """The provider's answer that led to it."""


def record(connection: Connection, step: Step, notice: Notice) -> Recorded:
    """Insert the recording, or advance it, or leave it as it is."""
    event, state = _HAPPENING[notice.status]
    detail = None if notice.error is None else rows.clean(f"provider error {notice.error}")
    said = {
        "call_id": rows.clean(notice.call_id),
        "announced_duration_s": notice.duration_s,
        "announced_channels": notice.channels,
        "source": rows.clean(notice.source),
        "started_at": notice.started_at,
        "detail": detail,
        "encryption": rows.encryption_text(notice.encryption),
        **rows.call_values(notice.call),
    }
    row = _insert(connection, step, notice, {"state": state.value, **said})
    if row is not None:
        _log(connection, step, event, row, detail=detail)
        return Recorded(rows.recording(row), changed=True)
    known = {"the_account": notice.account_id, "the_provider_recording": notice.provider_recording_id}
    if event in statements.NOTICED:
        given = {f"the_{name}": value for name, value in said.items()}
        row = move(connection, step, event, statements.NOTICED[event], {**known, **given}, detail=detail)
        if row is not None:
            return Recorded(rows.recording(row), changed=True)
    if event is Event.ENQUEUE and (notice.duration_s is not None or notice.channels is not None):
        filled = {f"the_{name}": said[name] for name in ("announced_duration_s", "announced_channels")}
        connection.execute(statements.FILL, {**known, **filled})  # it does not move: no version, no event
    return Recorded(rows.recording(connection.execute(statements.SELECT_BY_PROVIDER, known).one()), changed=False)


def claim(connection: Connection, step: Step, recording_id: RecordingId) -> Recording | None:
    """Give out the next attempt; a dead worker's is ended first."""
    this = {"the_id": recording_id}
    row = move(connection, step, Event.CLAIM, statements.CLAIM, this)
    if row is not None:
        return rows.recording(row)
    lost = {"reason": Reason.WORKER_LOST, "detail": _NOT_REPORTED}
    expired = move(connection, step, Event.EXPIRE, statements.EXPIRE, {**this, **lost}, **lost)
    if expired is None:
        reads.get(connection, None, recording_id)
        return None
    if expired.lost >= LOST_LIMIT:
        lost["detail"] = f"{expired.lost} workers, one after another, did not report back"
        move(connection, step, Event.GIVE_UP, statements.ABANDON, {**this, **lost}, **lost)
        return None
    row = move(connection, step, Event.CLAIM, statements.CLAIM, this)
    return None if row is None else rows.recording(row)


def keep(connection: Connection, step: Step, recording_id: RecordingId, attempt: int, kept: Kept) -> Recording | None:
    """fetching → ready, with what the vault holds."""
    ours = {
        "the_id": recording_id,
        "the_attempt": attempt,
        "vault_key": kept.vault_key,
        "sha256": kept.sha256,
        "size": kept.size,
        "content_type": kept.content_type,
        "channels": kept.channels,
        "sample_rate": kept.sample_rate,
        "duration_s": kept.duration_s,
        "verified": kept.verified,
        "the_verified": kept.verified,
        "unverified": " ".join(kept.unverified),
    }
    return _moved(move(connection, step, Event.KEEP, statements.KEEP, ours))


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
    why = {"reason": reason, "detail": rows.clean(detail)}
    ours = {"the_id": recording_id, "the_attempt": attempt, "not_before": not_before, **why}
    return _moved(move(connection, step, Event.DEFER, statements.DEFER[budget], ours, **why))


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
    why = {"reason": reason, "detail": rows.clean(detail)}
    ours = {"the_id": recording_id, "the_attempt": attempt, **why}
    return _moved(move(connection, step, Event.GIVE_UP, statements.GIVE_UP[budget], ours, **why))


def hand_back(
    connection: Connection, step: Step, recording_id: RecordingId, attempt: int, reason: Reason | None = None
) -> Recording | None:
    """fetching → queued, as it was but for the *reason*, where there is one."""
    ours: dict[str, Any] = {"the_id": recording_id, "the_attempt": attempt}
    why = {} if reason is None else {"reason": reason, "detail": None}
    return _moved(move(connection, step, Event.HAND_BACK, statements.HAND_BACK, {**ours, **why}, **why))


def cancel(connection: Connection, step: Step, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
    """Stop it, or raise."""
    return _move_or_say_why(connection, step, Event.CANCEL, statements.CANCEL, tenant_id, recording_id)


def retry(connection: Connection, step: Step, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
    """Queue it again with fresh budgets, or raise."""
    return _move_or_say_why(connection, step, Event.RETRY, statements.RETRY, tenant_id, recording_id)


def purge(
    connection: Connection, step: Step, tenant_id: TenantId | None, recording_id: RecordingId, why: str
) -> Recording:
    """Leave a tombstone, or the one that is there, or raise."""
    holds.refuse_held_tenant(connection, recording_id)
    detail = rows.clean(why)
    wanted = {"the_id": recording_id, "the_tenant": tenant_id, "the_detail": detail}
    row = move(connection, step, Event.PURGE, statements.PURGE, wanted, detail=detail)
    found = reads.get(connection, tenant_id, recording_id) if row is None else rows.recording(row)
    if found.state is not State.PURGED:
        holds.refuse_held(connection, recording_id)
        raise Conflict(f"This recording is {found.state}: it cannot be purged. Cancel it first, or wait until it ends.")
    return found


def insert_purged(
    connection: Connection, step: Step, notice: Notice, recording_id: RecordingId, why: str
) -> Recording | None:
    """Insert what is to be met as purged only; None: another has just inserted it."""
    detail = rows.clean(why)
    values = {"id": recording_id, "state": State.PURGED.value, "detail": detail, "erase_due_at": step.at}
    row = _insert(connection, step, notice, values)
    if row is not None:
        _log(connection, step, Event.PURGE, row, detail=detail)
    return _moved(row)


def erased(connection: Connection, recording_id: RecordingId) -> None:
    """Nothing of it is in the vault: no move, no event."""
    connection.execute(statements.ERASED, {"the_id": recording_id})


def erase_later(connection: Connection, step: Step, recording_id: RecordingId) -> None:
    """Wait behind the others: no move, no event."""
    connection.execute(statements.ERASE_LATER, {"the_id": recording_id, "the_time": step.at})


def hasten(connection: Connection, step: Step, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
    """Let a queued recording be due now, before the archive's. It does not move: no version, no event."""
    wanted = {"the_id": recording_id, "the_tenant": tenant_id, "the_time": step.at}
    connection.execute(statements.HASTEN, wanted)
    return reads.get(connection, tenant_id, recording_id)


def describe(connection: Connection, recording_id: RecordingId, call: Call) -> None:
    """Note its call. It does not move: no version, no event."""
    given = {f"the_{name}": value for name, value in rows.call_values(call).items()}
    connection.execute(statements.DESCRIBE, {"the_id": recording_id, **given})


def _insert(connection: Connection, step: Step, notice: Notice, values: Mapping[str, Any]) -> Row[Any] | None:
    try:
        return connection.execute(
            statements.INSERT[connection.dialect.name],
            {
                "id": new_recording_id(int(step.at.timestamp() * 1000), secrets.token_bytes(10)),
                "tenant_id": notice.tenant_id,
                "account_id": notice.account_id,
                "provider_recording_id": notice.provider_recording_id,
                "version": 1,
                "attempt": 0,
                "tries": 0,
                "not_ready": 0,
                "lost": 0,
                "created_at": step.at,
                "updated_at": step.at,
                **values,
            },
        ).first()
    except IntegrityError:  # a foreign key: all else is ours
        raise NotFound(f"There is no tenant {notice.tenant_id!r} or no account {notice.account_id!r}.") from None


def _move_or_say_why(
    connection: Connection,
    step: Step,
    event: Event,
    statement: Executable,
    tenant_id: TenantId | None,
    recording_id: RecordingId,
) -> Recording:
    row = move(connection, step, event, statement, {"the_id": recording_id, "the_tenant": tenant_id})
    if row is not None:
        return rows.recording(row)
    found = reads.get(connection, tenant_id, recording_id)
    raise Conflict(f"This recording is {found.state}: there is nothing to {event}.")


def move(
    connection: Connection,
    step: Step,
    event: Event,
    statement: Executable,
    parameters: Mapping[str, Any],
    *,
    reason: str | None = None,
    detail: str | None = None,
) -> Row[Any] | None:
    """Run the guarded UPDATE of *event* and log it; None: nothing moved."""
    row = connection.execute(statement, {**parameters, "the_time": step.at}).first()
    if row is not None:
        _log(connection, step, event, row, reason=reason, detail=detail)
    return row


def _moved(row: Row[Any] | None) -> Recording | None:
    return None if row is None else rows.recording(row)


def _log(
    connection: Connection,
    step: Step,
    event: Event,
    row: Row[Any],
    *,
    reason: str | None = None,
    detail: str | None = None,
) -> None:
    if connection.dialect.name == "postgresql":
        # Numbers are given out before the commit, and transactions may commit in another order: a reader that
        # saw 8 would never come back for 7. So from the number to the commit there is one transaction at a time;
        # PostgreSQL lets go of the lock only after the rows are visible. SQLite has one writer by nature.
        connection.execute(statements.LOCK_EVENTS)
    connection.execute(
        statements.LOG,
        {
            "recording_id": row.id,
            "tenant_id": row.tenant_id,
            "event": event.value,
            "state": row.state,
            "version": row.version,
            "attempt": row.attempt,
            "at": step.at,
            "reason": reason,
            "detail": detail,
            "actor": rows.clean(step.actor),
            "http_status": step.http_status,
        },
    )
    paces.count(connection, event, row, step.at)
    outbox.announce(connection, event, row, step.at)
