"""The audit log: who did what, each entry chained to the one before."""

from collections.abc import Sequence
from typing import Protocol

from callspool.domain.audit import Act, AuditEntry, AuditKind, By, Deed, Verdict


class AuditStore(Protocol):
    """Writes and reads the audit log."""

    async def audit(self, act: Act, *, by: By) -> None:
        """Write into the audit log what is done outside the store. Changes of the registry write themselves there."""
        ...

    async def audit_all(self, deeds: Sequence[Deed]) -> None:
        """Write entries in this order, all or none. *deeds* happened outside the store."""
        ...

    async def audit_log(self, before: int | None, *, limit: int, only: AuditKind | None = None) -> Sequence[AuditEntry]:
        """Return entries with a number below *before* (None: the newest), newest first; *only* those of a kind."""
        ...

    async def audit_verify(self, anchor: tuple[int, str] | None = None) -> Verdict:
        """Follow the whole chain. *anchor*: number and hash of an entry as they were noted elsewhere."""
        ...
