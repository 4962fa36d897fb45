"""Every question about recordings. Nothing here writes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select, union_all

from callspool.domain.errors import NotFound
from callspool.domain.ids import RecordingId, TenantId, new_recording_id
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


def expired(connection: Connection, tenant_id: TenantId, before: datetime, limit: int) -> Sequence[Recording]:
    """Return what became ready before a time, by id: it was made before that too, so an index bounds the search."""
    bound = new_recording_id(int(before.timestamp() * 1000), bytes(10))
    mine = (_R.tenant_id == tenant_id) & (_R.state == State.READY.value) & (_R.id < bound) & (_R.holds == 0)
    query = select(recordings).where(mine, _R.ready_at < before).order_by(_R.id).limit(limit)
    return [rows.recording(row) for row in connection.execute(query)]


def to_erase(connection: Connection, limit: int) -> Sequence[Recording]:
    """Return purged recordings that wait for the vault."""
    query = select(recordings).where(_R.erase_due_at.is_not(None)).order_by(_R.erase_due_at, _R.id).limit(limit)
    return [rows.recording(row) for row in connection.execute(query)]


def find(connection: Connection, recording_ids: Sequence[RecordingId]) -> Mapping[RecordingId, Recording]:
    """Return those that exist."""
    found = connection.execute(select(recordings).where(_R.id.in_(recording_ids)))
    return {RecordingId(row.id): rows.recording(row) for row in found}
