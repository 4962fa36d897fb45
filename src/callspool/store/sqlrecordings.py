"""The `RecordingStore`, `HistoryStore` and `CountStore` ports over either engine.

What each method promises stands in ``domain.ports``: ``recordings``, ``history`` and ``counts``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from callspool.domain.ids import AccountId, RecordingId, TenantId
from callspool.domain.pace import Ended
from callspool.domain.ports.counts import FailureGroup, StateCount
from callspool.domain.ports.history import Timeline
from callspool.domain.ports.provider import ProviderStatus
from callspool.domain.ports.recordings import Page, RecordingFilter
from callspool.domain.recording import HistoryEntry, Recording
from callspool.store import counts, lists, paces, reads, traces
from callspool.store.sqlpart import SqlPart


class SqlRecordings(SqlPart):
    """The part of the store that reads recordings, what happened to them, and how many there are."""

    async def find(self, recording_ids: Sequence[RecordingId]) -> Mapping[RecordingId, Recording]:
        return await self._database.read(lambda c: reads.find(c, recording_ids))

    async def get(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
        return await self._database.read(lambda c: reads.get(c, tenant_id, recording_id), tenant=tenant_id)

    async def list(self, wanted: RecordingFilter, *, cursor: str | None, limit: int) -> Page:
        return await self._database.read(lambda c: lists.page(c, wanted, cursor, limit), tenant=wanted.tenant_id)

    async def unfinished(self, after: RecordingId | None, *, limit: int) -> Sequence[Recording]:
        return await self._database.read(lambda c: reads.unfinished(c, after, limit))

    async def history(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Sequence[HistoryEntry]:
        return await self._database.read(lambda c: reads.history(c, tenant_id, recording_id), tenant=tenant_id)

    async def note_repeat(self, recording: Recording, status: ProviderStatus) -> None:
        await self._database.write(lambda c: traces.note_repeat(c, recording, status, self._clock.now()))

    async def timeline(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Timeline:
        return await self._database.read(lambda c: traces.timeline(c, tenant_id, recording_id), tenant=tenant_id)

    async def events_after(self, tenant_id: TenantId | None, seq: int, *, limit: int) -> Sequence[HistoryEntry]:
        return await self._database.read(lambda c: reads.events_after(c, tenant_id, seq, limit), tenant=tenant_id)

    async def last_seq(self) -> int:
        return await self._database.read(reads.last_seq)

    async def throughput(self, tenant_id: TenantId | None, since: datetime) -> Sequence[Ended]:
        return await self._database.read(lambda c: paces.since(c, tenant_id, since))

    async def ready_of_tenants(self, tenants: Sequence[TenantId], since: datetime) -> Mapping[TenantId, int]:
        return await self._database.read(lambda c: paces.ready_of_tenants(c, tenants, since))

    async def ready_of_accounts(self, accounts: Sequence[AccountId], since: datetime) -> Mapping[AccountId, int]:
        return await self._database.read(lambda c: paces.ready_of_accounts(c, accounts, since))

    async def count(self, tenant_id: TenantId | None) -> Sequence[StateCount]:
        return await self._database.read(lambda c: counts.count(c, tenant_id), tenant=tenant_id)

    async def failures(self, tenant_id: TenantId | None) -> Sequence[FailureGroup]:
        return await self._database.read(lambda c: counts.failures(c, tenant_id), tenant=tenant_id)
