"""The `TombstoneStore` port over either engine. What each method promises stands in ``domain.tombstone``."""

from sqlalchemy import Connection

from callspool.domain.audit import Act, By
from callspool.domain.errors import NotFound
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.recording import Recording
from callspool.domain.tombstone import Burial, Tombstone, tombstone_of
from callspool.store import audit, reads, tombstones
from callspool.store.moves import Step
from callspool.store.sqlpart import SqlPart


class SqlTombstones(SqlPart):
    """The part of the store that keeps what was purged gone."""

    async def tombstone(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Tombstone:
        def read(connection: Connection) -> Tombstone:
            history = reads.history(connection, tenant_id, recording_id)
            return tombstone_of(reads.get(connection, tenant_id, recording_id), history)

        return await self._database.read(read, tenant=tenant_id)

    async def bury(self, tombstone: Tombstone, *, by: By) -> tuple[Burial, Recording | None]:
        now = self._clock.now()

        def deed(connection: Connection) -> tuple[Burial, Recording | None]:
            burial, recording = tombstones.bury(connection, Step(by.actor, now), tombstone)
            if burial is Burial.PURGED and recording is not None:
                detail = {"why": tombstones.said(tombstone), "sha256": tombstone.sha256, "size": tombstone.size}
                act = Act("recording.purge", recording.id, recording.tenant_id, detail)
                audit.append(connection, act, by, now, self._envelope)
            return burial, recording

        try:
            return await self._database.write(deed)
        except NotFound:
            return Burial.UNKNOWN, None
