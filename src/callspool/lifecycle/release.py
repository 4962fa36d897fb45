"""Deleting at the provider what is kept here, for accounts that ask for it.

In this order: it is kept; the vault's file is read back and has the SHA-256 of what came; the store's UPDATE finds it
ready, verified and not held; the provider is told; that it went is noted and audited. A process that dies in between
leaves it due again.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog

from callspool.domain.custody import LIFECYCLE, try_again_at
from callspool.domain.errors import FetchFailed
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.provider import Provider
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.domain.recording import Recording
from callspool.lifecycle.proof import Found, read_back
from callspool.lifecycle.scrub import Scrubber

_log = structlog.get_logger("callspool.lifecycle")


class Releaser:
    """Deletes at providers, one recording after another."""

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        providers: Mapping[str, Provider],
        scrubber: Scrubber,
        clock: Clock,
        rate: float,
        pause: timedelta,
    ) -> None:
        """*pause*: between two questions to a provider."""
        self._store = store
        self._vault = vault
        self._providers = providers
        self._scrubber = scrubber
        self._clock = clock
        self._rate = rate
        self._pause = pause

    async def turn(self, *, limit: int) -> int:
        """Delete some of what is due; return how many went. Raises `Unavailable`."""
        count = 0
        for recording in await self._store.to_delete_at_provider(limit=limit):
            if await self.release(recording):
                count += 1
                await asyncio.sleep(self._pause.total_seconds())
        return count

    async def release(self, recording: Recording) -> bool:
        """Delete one at its provider, if that may be; False: not now, or not at all."""
        kept = recording.kept
        if kept is None or not kept.verified:
            return False
        account = await self._store.account(recording.account_id)
        if account.paused or not account.delete_after_keep:
            return False
        found = await read_back(self._vault, kept, rate=self._rate)
        if found is not Found.SAME:
            await self._scrubber.condemn(recording, found)
            return False
        await self._store.proved(recording)
        again_at = try_again_at(self._clock.now(), recording.ready_at)
        if not await self._store.begin_delete_at_provider(recording, again_at):
            return False
        try:
            await self._providers[account.provider].delete(account, recording.provider_recording_id)
        except FetchFailed as error:
            _log.warning(
                "recording.not_deleted_at_provider",
                tenant_id=recording.tenant_id,
                recording_id=recording.id,
                reason=error.reason,
                again_at=again_at,
            )
            return False
        await self._store.deleted_at_provider(recording, by=LIFECYCLE)
        _log.info("recording.deleted_at_provider", tenant_id=recording.tenant_id, recording_id=recording.id)
        return True
