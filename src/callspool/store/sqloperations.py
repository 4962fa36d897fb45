"""The `OperationStore` port over either engine.

What each method promises stands in ``domain.ports``: ``operations``.
"""

from callspool.domain.audit import Act, By
from callspool.domain.ids import TenantId
from callspool.domain.operation import FailedFilter, Operation
from callspool.domain.ports.operations import Worked
from callspool.store import operations
from callspool.store.sqlpart import SqlPart


class SqlOperations(SqlPart):
    """The part of the store that does one thing to many recordings."""

    async def matching(self, wanted: FailedFilter) -> int:
        return await self._database.read(lambda c: operations.matching(c, wanted))

    async def begin_retry(self, wanted: FailedFilter, *, owner: TenantId | None, actor: str) -> Operation:
        return await self._act(
            By(actor),
            lambda begun: Act(
                "recordings.retry", begun.id, wanted.tenant_id, {"matched": begun.matched, "reason": wanted.reason}
            ),
            lambda c: operations.begin(c, self._step(actor), wanted, owner),
        )

    async def operation(self, owner: TenantId | None, operation_id: str) -> Operation:
        return await self._database.read(lambda c: operations.get(c, owner, operation_id))

    async def work_off(self, *, most: int) -> Worked | None:
        if not await self._database.read(operations.any_runs):
            return None  # mostly: asking costs no write
        return await self._database.write(lambda c: operations.work_off(c, self._step(""), most))
