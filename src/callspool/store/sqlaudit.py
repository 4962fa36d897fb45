"""The `AuditStore` port over either engine.

What each method promises stands in ``domain.ports``: ``audit``.
"""

from collections.abc import Sequence

from callspool.domain.audit import Act, AuditEntry, AuditKind, By, Deed, Verdict
from callspool.store import audit
from callspool.store.sqlpart import SqlPart


class SqlAudit(SqlPart):
    """The part of the store that is the audit log."""

    async def audit(self, act: Act, *, by: By) -> None:
        await self._act(by, act, lambda _: None)

    async def audit_all(self, deeds: Sequence[Deed]) -> None:
        await self._database.write(lambda c: audit.append_all(c, deeds, self._envelope))

    async def audit_log(self, before: int | None, *, limit: int, only: AuditKind | None = None) -> Sequence[AuditEntry]:
        return await self._database.read(lambda c: audit.page(c, before, limit, only))

    async def audit_verify(self, anchor: tuple[int, str] | None = None) -> Verdict:
        return await self._database.read(lambda c: audit.verify(c, self._envelope, anchor))
