"""What left no event: webhooks that changed nothing, bounded for each recording; and who listened."""

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, insert, select

from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.listening import Listen
from callspool.domain.ports.history import Repeat, Timeline
from callspool.domain.ports.provider import ProviderStatus
from callspool.domain.recording import Recording
from callspool.store import audit, reads
from callspool.store.tables import listens, repeats

MOST: Final = 200
"""For one recording: a provider, or a stranger who replays a webhook, cannot fill the disk."""


def note_repeat(connection: Connection, recording: Recording, status: ProviderStatus, at: datetime) -> None:
    """Keep that a webhook came that changed nothing."""
    if _count(connection, recording.id) < MOST:
        values = {"recording_id": recording.id, "tenant_id": recording.tenant_id, "at": at, "status": status.value}
        connection.execute(insert(repeats).values(values))


def timeline(connection: Connection, tenant_id: TenantId | None, recording_id: RecordingId) -> Timeline:
    """Return all that happened to it or raise `NotFound`."""
    history = reads.history(connection, tenant_id, recording_id)
    came = select(repeats).where(repeats.c.recording_id == recording_id).order_by(repeats.c.seq)
    before = select(listens).where(listens.c.recording_id == recording_id).order_by(listens.c.seq)
    heard = [Listen(row.at, row.actor, row.actor == "link") for row in connection.execute(before)]
    heard += audit.listens(connection, recording_id, MOST)
    return Timeline(
        history=history,
        repeats=[Repeat(row.at, ProviderStatus(row.status)) for row in connection.execute(came)],
        listens=heard[-MOST:],
    )


def _count(connection: Connection, recording_id: RecordingId) -> int:
    number = select(func.count()).select_from(repeats).where(repeats.c.recording_id == recording_id)
    return int(connection.execute(number).scalar_one())
