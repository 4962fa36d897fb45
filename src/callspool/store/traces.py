"""What left no event: webhooks that changed nothing, and who listened. Bounded for each recording."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, Table, func, insert, select

from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.ports import Listen, ProviderStatus, Repeat, Timeline
from callspool.domain.recording import Recording
from callspool.store import reads, rows
from callspool.store.tables import listens, repeats

MOST: Final = 200
"""Of each kind for one recording: a provider, or a stranger who replays a webhook, cannot fill the disk."""
LISTENING: Final = timedelta(minutes=30)
"""What one hears of a recording within this time is one listening."""


def note_repeat(connection: Connection, recording: Recording, status: ProviderStatus, at: datetime) -> None:
    """Keep that a webhook came that changed nothing."""
    if _count(connection, repeats, recording.id) < MOST:
        values = {"recording_id": recording.id, "tenant_id": recording.tenant_id, "at": at, "status": status.value}
        connection.execute(insert(repeats).values(values))


def note_listen(connection: Connection, recording: Recording, actor: str, at: datetime) -> None:
    """Keep that *actor* listens, once a listening."""
    actor = rows.clean(actor) or ""
    mine = (listens.c.recording_id == recording.id, listens.c.actor == actor)
    last = connection.execute(select(func.max(listens.c.at)).where(*mine)).scalar()
    if (last is None or at - last >= LISTENING) and _count(connection, listens, recording.id) < MOST:
        values = {"recording_id": recording.id, "tenant_id": recording.tenant_id, "at": at, "actor": actor}
        connection.execute(insert(listens).values(values))


def timeline(connection: Connection, tenant_id: TenantId | None, recording_id: RecordingId) -> Timeline:
    """Return all that happened to it or raise `NotFound`."""
    history = reads.history(connection, tenant_id, recording_id)
    came = select(repeats).where(repeats.c.recording_id == recording_id).order_by(repeats.c.seq)
    heard = select(listens).where(listens.c.recording_id == recording_id).order_by(listens.c.seq)
    return Timeline(
        history=history,
        repeats=[Repeat(row.at, ProviderStatus(row.status)) for row in connection.execute(came)],
        listens=[Listen(row.at, row.actor) for row in connection.execute(heard)],
    )


def _count(connection: Connection, table: Table, recording_id: RecordingId) -> int:
    number = select(func.count()).select_from(table).where(table.c.recording_id == recording_id)
    return int(connection.execute(number).scalar_one())
