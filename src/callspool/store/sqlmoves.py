"""The `MoveStore` and `ErasureStore` ports over either engine.

What each method promises stands in ``domain.ports``: ``moves`` and ``erasure``.
"""

from collections.abc import Sequence
from datetime import datetime

from callspool.domain.audit import Act, By
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.ports.provider import Notice, Recorded
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Call, Kept, Recording, State
from callspool.store import moves, reads
from callspool.store.sqlrecordings import SqlRecordings


class SqlMoves(SqlRecordings):
    """The part of the store by which recordings move, to the last move."""

    async def record(self, notice: Notice, *, actor: str) -> Recorded:
        return await self._database.write(lambda c: moves.record(c, self._step(actor), notice))

    async def claim(self, recording_id: RecordingId, *, actor: str) -> Recording | None:
        return await self._database.write(lambda c: moves.claim(c, self._step(actor), recording_id))

    async def keep(self, recording_id: RecordingId, attempt: int, kept: Kept, *, actor: str) -> Recording | None:
        return await self._database.write(lambda c: moves.keep(c, self._step(actor), recording_id, attempt, kept))

    async def defer(
        self,
        recording_id: RecordingId,
        attempt: int,
        *,
        reason: Reason,
        detail: str,
        budget: Budget,
        not_before: datetime,
        actor: str,
        http_status: int | None = None,
    ) -> Recording | None:
        return await self._database.write(
            lambda c: moves.defer(
                c,
                self._step(actor, http_status),
                recording_id,
                attempt,
                reason=reason,
                detail=detail,
                budget=budget,
                not_before=not_before,
            )
        )

    async def give_up(
        self,
        recording_id: RecordingId,
        attempt: int,
        *,
        reason: Reason,
        detail: str,
        budget: Budget,
        actor: str,
        http_status: int | None = None,
    ) -> Recording | None:
        return await self._database.write(
            lambda c: moves.give_up(
                c, self._step(actor, http_status), recording_id, attempt, reason=reason, detail=detail, budget=budget
            )
        )

    async def hand_back(
        self, recording_id: RecordingId, attempt: int, *, actor: str, reason: Reason | None = None
    ) -> Recording | None:
        return await self._database.write(
            lambda c: moves.hand_back(c, self._step(actor), recording_id, attempt, reason)
        )

    async def describe(self, recording_id: RecordingId, call: Call) -> None:
        await self._database.write(lambda c: moves.describe(c, recording_id, call))

    async def cancel(self, tenant_id: TenantId | None, recording_id: RecordingId, *, actor: str) -> Recording:
        return await self._database.write(lambda c: moves.cancel(c, self._step(actor), tenant_id, recording_id))

    async def retry(self, tenant_id: TenantId | None, recording_id: RecordingId, *, actor: str) -> Recording:
        return await self._database.write(lambda c: moves.retry(c, self._step(actor), tenant_id, recording_id))

    async def purge(self, tenant_id: TenantId | None, recording_id: RecordingId, *, by: By, why: str) -> Recording:
        found = await self.get(tenant_id, recording_id)
        if found.state is State.PURGED:
            return found

        def receipt(purged: Recording) -> Act:
            was = {"sha256": purged.kept.sha256, "size": purged.kept.size} if purged.kept else {}
            return Act("recording.purge", purged.id, purged.tenant_id, {"why": why, **was})

        step = self._step(by.actor)
        return await self._act(by, receipt, lambda c: moves.purge(c, step, tenant_id, recording_id, why))

    async def hasten(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
        found = await self.get(tenant_id, recording_id)
        if found.state is not State.QUEUED or (found.not_before is None and found.wanted_at is not None):
            return found  # most are: a person's play of what is there costs no write
        return await self._database.write(lambda c: moves.hasten(c, self._step(""), tenant_id, recording_id))

    async def expired(self, tenant_id: TenantId, before: datetime, *, limit: int) -> Sequence[Recording]:
        return await self._database.read(lambda c: reads.expired(c, tenant_id, before, limit))

    async def to_erase(self, *, limit: int) -> Sequence[Recording]:
        return await self._database.read(lambda c: reads.to_erase(c, limit))

    async def erased(self, recording_id: RecordingId) -> None:
        await self._database.write(lambda c: moves.erased(c, recording_id))

    async def erase_later(self, recording_id: RecordingId) -> None:
        await self._database.write(lambda c: moves.erase_later(c, self._step(""), recording_id))
