"""The scrub: every kept file is read again from time to time, slowly, and compared with what was kept.

A file that is another by now (a disk decays, somebody wrote to the bucket) is never served again: its recording is
``failed`` because of ``corrupt``, and is fetched again where the provider still has it. The file itself stays until
another one is kept, because a damaged recording may be the only one there is.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog

from callspool.domain.custody import SCRUB
from callspool.domain.errors import FetchFailed, NotFound, SchedulerUnavailable
from callspool.domain.job import Job
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.provider import Provider, ProviderStatus
from callspool.domain.ports.scheduler import Bulletin, Producer
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.domain.reasons import Reason
from callspool.domain.recording import Recording, State
from callspool.lifecycle.proof import Found, read_back

BATCH: Final = 16

_log = structlog.get_logger("callspool.lifecycle")


class Scrubber:
    """Proves kept files. Several processes may prove the same one: that costs reads and nothing else."""

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        providers: Mapping[str, Provider],
        producer: Producer,
        bulletin: Bulletin,
        clock: Clock,
        rate: float,
    ) -> None:
        self._store = store
        self._vault = vault
        self._providers = providers
        self._producer = producer
        self._bulletin = bulletin
        self._clock = clock
        self._rate = rate

    async def turn(self, every: timedelta) -> int:
        """Prove some of what was last proven longer ago than *every*; return how many. Raises `Unavailable`."""
        due = await self._store.to_prove(self._clock.now() - every, limit=BATCH)
        for recording in due:
            await self.prove(recording)
        return len(due)

    async def prove(self, recording: Recording) -> Recording:
        """Read its file back and note what was found; return the recording as it is then. Raises `Unavailable`."""
        if recording.kept is None:
            return recording
        found = await read_back(self._vault, recording.kept, rate=self._rate)
        was_corrupt = recording.state is State.FAILED and recording.reason is Reason.CORRUPT
        if found is not Found.SAME:
            moved = await self.condemn(recording, found) if recording.state is State.READY else None
        elif was_corrupt:
            moved = await self._store.restore(recording, by=SCRUB)
            await self._bulletin.ring()
        else:
            moved = None
            await self._store.proved(recording)
        return moved or await self._store.get(None, recording.id)

    async def condemn(self, recording: Recording, found: Found) -> Recording | None:
        """Let nobody hear it any more, and fetch it again where the provider has it."""
        again = await self._provider_has(recording)
        moved = await self._store.corrupt(recording, found.value, again=again, by=SCRUB)
        if moved is None:
            return None
        _log.error(
            "recording.corrupt",
            tenant_id=recording.tenant_id,
            recording_id=recording.id,
            seen=found.value,
            fetched_again=again,
        )
        if again:
            try:
                await self._producer.submit(Job(moved.id, moved.account_id, moved.tenant_id))
            except SchedulerUnavailable:
                _log.warning("job.not_submitted", recording_id=moved.id)  # the reconciler does
        await self._bulletin.ring()
        return moved

    async def _provider_has(self, recording: Recording) -> bool:
        """Say whether a fetch may bring it. One that does not answer is asked again by the fetch, which waits."""
        if recording.provider_deleted_at is not None:
            return False
        account = await self._store.account(recording.account_id)
        provider = self._providers.get(account.provider)
        if provider is None:
            return False
        try:
            listed = await provider.look_up(account, recording.provider_recording_id)
        except FetchFailed:
            return True
        except NotFound:
            return False
        return listed is not None and listed.notice.status is ProviderStatus.COMPLETED
