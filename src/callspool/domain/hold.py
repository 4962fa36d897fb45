"""Legal holds: what is held is not deleted, whatever a person, a tenant's retention or a policy says.

A hold is on one recording or on all of a tenant. Several may lie on the same thing; the last one to go frees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from callspool.domain.audit import CALLSPOOL, By
from callspool.domain.ids import RecordingId, TenantId

HELD: Final = "This is under a legal hold, and hold beats policy: nothing of it is deleted before the hold is removed."


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold."""

    id: str
    """``hold_`` and 32 hex digits."""
    tenant_id: TenantId
    recording_id: RecordingId | None
    """None: all of the tenant's, those that come too."""
    why: str
    """The matter: it is shown to whoever wants to delete."""
    actor: str
    created_at: datetime


class HoldStore(Protocol):
    """What the store keeps of it. Each is audited in its own transaction.

    A hold and a purge of the same recording come one after the other, never both: either the hold finds a tombstone
    and says so, or the purge is refused.
    """

    async def hold_recording(
        self, tenant_id: TenantId | None, recording_id: RecordingId, *, why: str, by: By = CALLSPOOL
    ) -> Hold:
        """Hold one recording. Raises `NotFound`, or `Conflict` where only a tombstone is left."""
        ...

    async def hold_tenant(self, tenant_id: TenantId, *, why: str, by: By = CALLSPOOL) -> Hold:
        """Hold all of a tenant's recordings. Raises `NotFound`."""
        ...

    async def remove_hold(self, hold_id: str, *, by: By = CALLSPOOL) -> Hold:
        """Remove it, or raise `NotFound`."""
        ...

    async def holds(self, tenant_id: TenantId | None, recording_id: RecordingId | None = None) -> Sequence[Hold]:
        """Return holds, oldest first: of one recording (its tenant's too), or all of them (of a tenant)."""
        ...
