"""Legal holds. How many there are stands in the row that they hold, so that a purge's UPDATE can ask for none.

A purge takes the tenant's row for reading before it moves the recording: whoever holds the tenant waits for it, or it
for them. So on both engines one comes after the other.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, delete, func, insert, or_, select, update

from callspool.domain.errors import Conflict, Held, NotFound
from callspool.domain.hold import HELD, Hold
from callspool.domain.ids import RecordingId, TenantId, new_recording_id
from callspool.domain.recording import State
from callspool.store import reads, rows
from callspool.store.tables import holds, recordings, tenants

_H: Final = holds.c
_R: Final = recordings.c
_SHOWN: Final = select(holds, func.coalesce(_R.tenant_id, _H.tenant_id).label("of_tenant")).outerjoin(
    recordings, _R.id == _H.recording_id
)


def hold_recording(
    connection: Connection, tenant_id: TenantId | None, recording_id: RecordingId, why: str, actor: str, at: datetime
) -> Hold:
    """Hold it, or raise."""
    reads.get(connection, tenant_id, recording_id)
    not_gone = (_R.id == recording_id) & (_R.state != State.PURGED.value)
    if connection.execute(update(recordings).where(not_gone).values(holds=_R.holds + 1)).rowcount == 0:
        raise Conflict("This recording was purged: there is nothing left to hold.")
    return _add(connection, why, actor, at, recording_id=recording_id)


def hold_tenant(connection: Connection, tenant_id: TenantId, why: str, actor: str, at: datetime) -> Hold:
    """Hold all of it, or raise."""
    if _count(connection, tenants, tenant_id, 1) == 0:
        raise NotFound(f"There is no tenant {tenant_id!r}.")
    return _add(connection, why, actor, at, tenant_id=tenant_id)


def remove(connection: Connection, hold_id: str) -> Hold:
    """Remove it, or raise."""
    row = connection.execute(_SHOWN.where(_H.id == hold_id)).first()
    # Of two who remove it at once only one deletes a row, and only that one counts.
    if row is None or connection.execute(delete(holds).where(_H.id == hold_id)).rowcount == 0:
        raise NotFound(f"There is no hold {hold_id!r}.")
    table, held = (recordings, row.recording_id) if row.recording_id is not None else (tenants, row.tenant_id)
    _count(connection, table, held, -1)
    return _hold(row)


def found(connection: Connection, tenant_id: TenantId | None, recording_id: RecordingId | None) -> Sequence[Hold]:
    """Return holds, oldest first."""
    query = _SHOWN.order_by(_H.id)
    if recording_id is not None:
        recording = reads.get(connection, tenant_id, recording_id)
        query = query.where(or_(_H.recording_id == recording_id, _H.tenant_id == recording.tenant_id))
    elif tenant_id is not None:
        query = query.where(or_(_R.tenant_id == tenant_id, _H.tenant_id == tenant_id))
    return [_hold(row) for row in connection.execute(query)]


def refuse_held_tenant(connection: Connection, recording_id: RecordingId) -> None:
    """Raise `Held` where all of its tenant is held; else keep whoever wants to hold it waiting until the commit."""
    owner = select(_R.tenant_id).where(_R.id == recording_id).scalar_subquery()
    query = select(tenants.c.holds).where(tenants.c.id == owner).with_for_update(read=True)
    if connection.execute(query).scalar():
        raise Held(HELD)


def refuse_held(connection: Connection, recording_id: RecordingId) -> None:
    """Raise `Held` where the recording itself is held."""
    if connection.execute(select(_R.holds).where(_R.id == recording_id)).scalar():
        raise Held(HELD)


def _count(connection: Connection, table: Table, row_id: str, by: int) -> int:
    return connection.execute(update(table).where(table.c.id == row_id).values(holds=table.c.holds + by)).rowcount


def _add(connection: Connection, why: str, actor: str, at: datetime, **held: str) -> Hold:
    number = new_recording_id(int(at.timestamp() * 1000), secrets.token_bytes(10)).removeprefix("rec_")
    values = {"id": f"hold_{number}", **held, "why": rows.clean(why), "actor": rows.clean(actor), "created_at": at}
    connection.execute(insert(holds).values(values))
    return _hold(connection.execute(_SHOWN.where(_H.id == values["id"])).one())


def _hold(row: Row[Any]) -> Hold:
    recording_id = None if row.recording_id is None else RecordingId(row.recording_id)
    return Hold(row.id, TenantId(row.of_tenant), recording_id, row.why, row.actor, row.created_at)
