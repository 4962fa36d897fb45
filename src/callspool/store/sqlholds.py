"""The `HoldStore` port over either engine. What each method promises stands in ``domain.hold``."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from callspool.domain.audit import CALLSPOOL, Act, By
from callspool.domain.hold import Hold
from callspool.domain.ids import RecordingId, TenantId
from callspool.store import holds
from callspool.store.sqlpart import SqlPart


class SqlHolds(SqlPart):
    """The part of the store that legal holds use."""

    async def hold_recording(
        self, tenant_id: TenantId | None, recording_id: RecordingId, *, why: str, by: By = CALLSPOOL
    ) -> Hold:
        now = self._clock.now()
        return await self._hold_act(
            "hold.add", by, lambda c: holds.hold_recording(c, tenant_id, recording_id, why, by.actor, now)
        )

    async def hold_tenant(self, tenant_id: TenantId, *, why: str, by: By = CALLSPOOL) -> Hold:
        now = self._clock.now()
        return await self._hold_act("hold.add", by, lambda c: holds.hold_tenant(c, tenant_id, why, by.actor, now))

    async def remove_hold(self, hold_id: str, *, by: By = CALLSPOOL) -> Hold:
        return await self._hold_act("hold.remove", by, lambda c: holds.remove(c, hold_id))

    async def holds(self, tenant_id: TenantId | None, recording_id: RecordingId | None = None) -> Sequence[Hold]:
        return await self._database.read(lambda c: holds.found(c, tenant_id, recording_id), tenant=tenant_id)

    async def _hold_act(self, action: str, by: By, work: Callable[[Connection], Hold]) -> Hold:
        def act(hold: Hold) -> Act:
            target = hold.recording_id or hold.tenant_id
            return Act(action, target, hold.tenant_id, {"hold": hold.id, "why": hold.why})

        return await self._act(by, act, work)
