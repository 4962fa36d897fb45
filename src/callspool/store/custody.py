"""When a kept file was proven, that it is corrupt, and what is due to go at the provider."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, literal_column, select, update

from callspool.domain.errors import Held
from callspool.domain.reasons import Reason
from callspool.domain.recording import Event, Recording, State
from callspool.store import holds, rows, statements
from callspool.store.moves import Step, move
from callspool.store.tables import recordings, tenants

_R: Final = recordings.c
_READY: Final = _R.state == literal_column(f"'{State.READY.value}'")
"""Spelt out, because an index of ready recordings is not used for a parameter."""
_DUE: Final = _R.provider_delete_due_at


def to_prove(connection: Connection, before: datetime, limit: int) -> Sequence[Recording]:
    """Return what was proven longest ago: what never was since it was kept, then by the time."""
    never = select(recordings).where(_READY, _R.proved_at.is_(None)).order_by(_R.id).limit(limit)
    found = list(connection.execute(never))
    if len(found) < limit:
        old = select(recordings).where(_READY, _R.proved_at < before).order_by(_R.proved_at, _R.id)
        found += connection.execute(old.limit(limit - len(found)))
    return [rows.recording(row) for row in found]


def proved(connection: Connection, recording: Recording, at: datetime) -> None:
    """Note it. It does not move: no version, no event."""
    connection.execute(statements.PROVED, {**_same(recording), "the_time": at})


def corrupt(connection: Connection, step: Step, recording: Recording, detail: str, again: bool) -> Recording | None:
    """ready → failed, and on to queued."""
    why = {"reason": Reason.CORRUPT, "detail": rows.clean(detail)}
    row = move(connection, step, Event.CORRUPT, statements.CORRUPT, {**_same(recording), **why}, **why)
    if row is not None and again:
        row = move(connection, step, Event.RETRY, statements.FETCH_AGAIN, _same(recording), **why)
    return None if row is None else rows.recording(row)


def restore(connection: Connection, step: Step, recording: Recording) -> Recording | None:
    """failed → ready."""
    row = move(connection, step, Event.RESTORE, statements.RESTORE, _same(recording))
    return None if row is None else rows.recording(row)


def to_delete_at_provider(connection: Connection, now: datetime, limit: int) -> Sequence[Recording]:
    """Return what is due."""
    may = (now >= _DUE) & _READY & (_R.holds == 0) & (tenants.c.holds == 0)
    query = select(recordings).join(tenants, tenants.c.id == _R.tenant_id).where(_DUE.is_not(None), may)
    return [rows.recording(row) for row in connection.execute(query.order_by(_DUE, _R.id).limit(limit))]


def begin_delete_at_provider(connection: Connection, recording: Recording, again_at: datetime) -> bool:
    """Say whether it may go, as of this commit."""
    try:
        holds.refuse_held_tenant(connection, recording.id)
    except Held:
        return False
    done = connection.execute(statements.BEGIN_PROVIDER_DELETE, {**_same(recording), "the_time": again_at})
    return done.rowcount > 0


def deleted_at_provider(connection: Connection, recording: Recording, at: datetime) -> None:
    """Note it."""
    done = update(recordings).where(_R.id == recording.id)
    connection.execute(done.values(provider_delete_due_at=None, provider_deleted_at=at))


def _same(recording: Recording) -> dict[str, Any]:
    return {"the_id": recording.id, "the_vault_key": recording.kept.vault_key if recording.kept else ""}
