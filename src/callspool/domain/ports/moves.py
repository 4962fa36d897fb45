"""How recordings move through their states, and what is written down with each move."""

from datetime import datetime
from typing import Protocol

from callspool.domain.audit import By
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.ports.provider import Notice, Recorded
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Call, Kept, Recording


class MoveStore(Protocol):
    """Makes each move and its event one commit."""

    async def record(self, notice: Notice, *, actor: str) -> Recorded:
        """Insert or advance a recording as the notice says, with its event, in one commit. Idempotent.

        in_progress → announced; completed → queued; absent → absent. What is already further stays.
        A failed, cancelled or purged recording is not reopened. The first notice decides the tenant.
        """
        ...

    async def claim(self, recording_id: RecordingId, *, actor: str) -> Recording | None:
        """Make it ``fetching`` and issue the next attempt number; None where there is nothing to fetch.

        A recording that is still ``fetching`` under a dead worker's attempt is first expired (event EXPIRE,
        ``lost`` + 1), in the same transaction. If that uses up LOST_LIMIT it becomes ``failed`` with
        ``worker_lost`` and None is returned.
        """
        ...

    async def keep(self, recording_id: RecordingId, attempt: int, kept: Kept, *, actor: str) -> Recording | None:
        """fetching → ready. None: this attempt is stale and nothing was changed."""
        ...

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
        """fetching → queued, not before a time, charging one failure to *budget*. None: stale."""
        ...

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
        """fetching → failed, charging *budget*. None: stale."""
        ...

    async def hand_back(
        self, recording_id: RecordingId, attempt: int, *, actor: str, reason: Reason | None = None
    ) -> Recording | None:
        """fetching → queued at once, charging nothing: the worker stops, or its disk is full. None: stale.

        *reason* is what a person is told of it.
        """
        ...

    async def describe(self, recording_id: RecordingId, call: Call) -> None:
        """Note what call it is of. It does not move; its next move tells it. Again is fine."""
        ...

    async def cancel(self, tenant_id: TenantId | None, recording_id: RecordingId, *, actor: str) -> Recording:
        """Stop it. Raises `NotFound`, or `Conflict` where there is nothing to stop (already final)."""
        ...

    async def retry(self, tenant_id: TenantId | None, recording_id: RecordingId, *, actor: str) -> Recording:
        """failed or cancelled → queued with fresh budgets (tries, not_ready, lost = 0; the attempt goes on).

        Raises `NotFound`, or `Conflict` in another state.
        """
        ...

    async def purge(self, tenant_id: TenantId | None, recording_id: RecordingId, *, by: By, why: str) -> Recording:
        """ready, failed or cancelled → purged: the tombstone. What the vault has of it is to be erased from now on.

        Again is the same, and the first one stays. Raises `NotFound`, `Conflict` in another state, or `Held` where a
        legal hold lies on it or on its tenant. Audited, with the hash of what was there.
        """
        ...

    async def hasten(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
        """Return it; if it is queued, let it be due now and before the archive's: a person waits for it.

        That is remembered (``wanted_at``) until it ends. Raises `NotFound`.
        """
        ...
