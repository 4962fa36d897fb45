"""What is to be erased of recordings: those past their time, and what the vault may still have of purged ones."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.recording import Recording


class ErasureStore(Protocol):
    """Says what is to be erased, and keeps what was."""

    async def expired(self, tenant_id: TenantId, before: datetime, *, limit: int) -> Sequence[Recording]:
        """Return recordings of the tenant that became ready before a time and still are, oldest first; no held ones."""
        ...

    async def to_erase(self, *, limit: int) -> Sequence[Recording]:
        """Return purged recordings of which the vault may still have something, longest purged first."""
        ...

    async def erased(self, recording_id: RecordingId) -> None:
        """Note that the vault has nothing of a purged recording any more. Again is fine."""
        ...

    async def erase_later(self, recording_id: RecordingId) -> None:
        """Put a purged recording that could not be erased now behind the others that wait."""
        ...
