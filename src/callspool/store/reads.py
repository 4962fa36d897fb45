"""Every question about recordings. Nothing here writes."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, func, select, union_all

from callspool.domain.errors import InvalidInput, NotFound
from callspool.domain.ids import RecordingId, TenantId, is_recording_id
from callspool.domain.ports import Page, RecordingFilter, StateCount
from callspool.domain.recording import HistoryEntry, Recording, State
from callspool.store import rows, statements
from callspool.store.tables import events, recordings

_R: Final = recordings.c
_UNFINISHED: Final = (State.QUEUED, State.FETCHING)


def get(connection: Connection, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
    """Return it or raise `NotFound`."""
    row = connection.execute(statements.SELECT, {"the_id": recording_id, "the_tenant": tenant_id}).first()
    if row is None:
        raise NotFound("There is no such recording.")
    return rows.recording(row)


def page(connection: Connection, wanted: RecordingFilter, cursor: str | None, limit: int) -> Page:
    """Return one page, newest first, beginning after the cursor's recording."""
    query = select(recordings).order_by(_R.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(_R.id < _read_cursor(cursor))
    for column in ("tenant_id", "account_id", "reason", "call_id", "provider_recording_id"):
        if (value := getattr(wanted, column)) is not None:
            query = query.where(_R[column] == str(value))
    if wanted.states is not None:
        query = query.where(_R.state.in_(sorted(state.value for state in wanted.states)))
    if wanted.created_from is not None:
        query = query.where(_R.created_at >= wanted.created_from)
    if wanted.created_before is not None:
        query = query.where(_R.created_at < wanted.created_before)
    found = [rows.recording(row) for row in connection.execute(query)]
    more = len(found) > limit
    return Page(tuple(found[:limit]), _write_cursor(found[limit - 1].id) if more else None)


def history(connection: Connection, tenant_id: TenantId | None, recording_id: RecordingId) -> Sequence[HistoryEntry]:
    """Return its events, oldest first, or raise `NotFound`."""
    get(connection, tenant_id, recording_id)
    query = select(events).where(events.c.recording_id == recording_id).order_by(events.c.version)
    return [rows.history_entry(row) for row in connection.execute(query)]


def events_after(connection: Connection, tenant_id: TenantId | None, seq: int, limit: int) -> Sequence[HistoryEntry]:
    """Return the next events in the order of their commits."""
    query = select(events).where(events.c.seq > seq).order_by(events.c.seq).limit(limit)
    if tenant_id is not None:
        query = query.where(events.c.tenant_id == tenant_id)
    return [rows.history_entry(row) for row in connection.execute(query)]


def last_seq(connection: Connection) -> int:
    """Return the highest event number, or 0."""
    return connection.execute(select(func.max(events.c.seq))).scalar() or 0


def count(connection: Connection, tenant_id: TenantId | None) -> Sequence[StateCount]:
    """Count by tenant, state and, where failed, reason."""
    reason: ColumnElement[Any] = case((_R.state == State.FAILED.value, _R.reason), else_=None)
    query = (
        # ``updated_at`` is the time of the last move, so the time since which it is in this state.
        select(_R.tenant_id, _R.state, reason.label("reason"), func.count().label("n"), func.min(_R.updated_at))
        .where(*(() if tenant_id is None else (_R.tenant_id == tenant_id,)))
        .group_by(_R.tenant_id, _R.state, reason)
        .order_by(_R.tenant_id, _R.state)
    )
    return [
        StateCount(TenantId(tenant), State(state), rows.reason(why), number, oldest)
        for tenant, state, why, number, oldest in connection.execute(query)
    ]


def unfinished(connection: Connection, after: RecordingId | None, limit: int) -> Sequence[Recording]:
    """Return queued and fetching recordings by id. Each state is read along its own index, so no page sorts all."""
    some = [
        select(
            select(_R.id)
            .where(_R.state == state.value, *(() if after is None else (_R.id > after,)))
            .order_by(_R.id)
            .limit(limit)
            .subquery()
        )
        for state in _UNFINISHED
    ]
    query = select(recordings).where(_R.id.in_(union_all(*some))).order_by(_R.id).limit(limit)
    return [rows.recording(row) for row in connection.execute(query)]


def _write_cursor(last: RecordingId) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(last.removeprefix("rec_"))).decode().rstrip("=")


def _read_cursor(cursor: str) -> RecordingId:
    try:
        last = RecordingId("rec_" + base64.b64decode(cursor + "==", altchars=b"-_", validate=True).hex())
    except (binascii.Error, ValueError):
        last = RecordingId("")
    if not is_recording_id(last):
        raise InvalidInput("cursor", "The cursor is not one that a list gave out. Begin again without it.")
    return last
