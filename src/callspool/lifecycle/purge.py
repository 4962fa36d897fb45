"""Purging: first the tombstone, in the store and in the vault, then the files; and again, until none is left.

What is said to be gone is never served from that moment, whatever the vault still has: the state decides. Its files go
at once; where the vault does not answer they go with a later sweep. Until then the store remembers that they are due.
"""

from typing import Final

import structlog

from callspool.domain.audit import By
from callspool.domain.errors import NotFound, VaultUnavailable
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.ports.scheduler import Bulletin
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.domain.recording import Recording
from callspool.vault.keys import tombstone_key

_MOST_FAILURES: Final = 3
"""In one turn: each may wait as long as the vault is given to answer."""

_log = structlog.get_logger("callspool.lifecycle")


class Purger:
    """Purges recordings. Every step may be repeated."""

    def __init__(self, store: Store, vault: Vault, bulletin: Bulletin) -> None:
        self._store = store
        self._vault = vault
        self._bulletin = bulletin

    async def purge(self, tenant_id: TenantId | None, recording_id: RecordingId, *, by: By, why: str) -> Recording:
        """Leave a tombstone and erase the files. Raises `NotFound`, or `Conflict` where it cannot be purged now."""
        purged = await self._store.purge(tenant_id, recording_id, by=by, why=why)
        await self._bulletin.ring()
        await self.erase(purged)
        return purged

    async def erase(self, purged: Recording) -> bool:
        """Leave a tombstone in the vault and delete all else that it has of it; False: not now, and it stays due."""
        try:
            await self.leave_tombstone(purged)
            keys = [key async for key in self._vault.keys(purged.tenant_id, purged.id)]
            for key in keys:
                await self._vault.delete(key)
        except VaultUnavailable as error:
            _log.warning("recording.not_erased", tenant_id=purged.tenant_id, recording_id=purged.id, error=str(error))
            return False
        await self._store.erased(purged.id)
        _log.info("recording.erased", tenant_id=purged.tenant_id, recording_id=purged.id, files=len(keys))
        return True

    async def leave_tombstone(self, purged: Recording) -> None:
        """Have the vault say that it was purged, unless it does: the first one stays. Raises `VaultUnavailable`."""
        key = tombstone_key(purged.id)
        try:
            await self._vault.read_all(key)
        except NotFound:
            tombstone = await self._store.tombstone(None, purged.id)
            await self._vault.put_bytes(key, tombstone.to_json())

    async def erase_due(self, *, limit: int) -> int:
        """Erase what an earlier try left, some of it; return how many recordings have nothing left now."""
        count = failures = 0
        for purged in await self._store.to_erase(limit=limit):
            if await self.erase(purged):
                count += 1
                continue
            await self._store.erase_later(purged.id)  # one whose files cannot be deleted must not hold up the others
            failures += 1
            if failures >= _MOST_FAILURES:
                break  # the vault is away, rather
        return count
