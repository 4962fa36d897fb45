"""Whose phone number is whose, and the recordings that find their tenant by it."""

from collections.abc import Sequence
from typing import Protocol

from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.recording import Recording
from callspool.domain.tenant import Account, Number


class NumberStore(Protocol):
    """Keeps numbers, and gives recordings to those whose they are."""

    async def set_number(self, number: Number) -> None:
        """Note whose number it is, instead of whose it was. `NotFound` if the tenant does not exist."""
        ...

    async def remove_number(self, number: str) -> None:
        """Forget it, or raise `NotFound`."""
        ...

    async def numbers(self) -> Sequence[Number]:
        """Return all, by number."""
        ...

    async def set_aside(self, account: Account, *, after: RecordingId | None = None, limit: int) -> Sequence[Recording]:
        """Return what waits under the default tenant of an account that finds tenants by number, and of whose call
        nothing is known, oldest first; those behind *after*."""
        ...

    async def assignable(self, account: Account, *, limit: int) -> Sequence[tuple[Recording, TenantId]]:
        """Return what waits there and whose numbers say whose it is. Where they name two tenants, none is named."""
        ...

    async def assign(self, recording: Recording, tenant_id: TenantId) -> Recording | None:
        """Give a queued recording to another tenant. None: it moved on, or is not that one's any more."""
        ...
