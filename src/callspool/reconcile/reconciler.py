"""Store against scheduler: every unfinished recording has a job, every limit is known. The store is right.

It mends what a process left that died between a commit and its submit, and refills a Valkey that lost its data.
Several may run at once: all they do is idempotent.
"""

import asyncio
import contextlib
from datetime import timedelta

import structlog

from callspool.domain.errors import Unavailable
from callspool.domain.job import Job
from callspool.domain.ports import Clock, Producer, Store
from callspool.domain.recording import Recording, State
from callspool.lifecycle.schedule import Lifecycle
from callspool.settings import Settings

_BATCH = 500
_LOOK_EVERY = timedelta(seconds=5)
"""How often Valkey is asked whether it lost its data: one small call."""


class Reconciler:
    """Runs until it is cancelled."""

    def __init__(
        self,
        *,
        store: Store,
        producer: Producer,
        clock: Clock,
        settings: Settings,
        lifecycle: Lifecycle | None = None,
    ) -> None:
        """*lifecycle* is run beside it, at its pace."""
        self._lifecycle = lifecycle
        self._store = store
        self._producer = producer
        self._clock = clock
        self._settings = settings
        self._log = structlog.get_logger()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` return."""
        self._stopping.set()

    async def run(self) -> None:
        """Reconcile at once, then at its pace, and at once whenever Valkey has lost its data."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reconcile())
            if self._lifecycle is not None:
                group.create_task(self._lifecycle.run(self._stopping))

    async def _reconcile(self) -> None:
        every = self._settings.reconcile_every.total_seconds()
        look = min(every, _LOOK_EVERY.total_seconds())
        time = asyncio.get_running_loop().time
        epoch: int | None = None
        due = time()
        while not self._stopping.is_set():
            try:
                current = await self._producer.epoch()
                if current != epoch or time() >= due:
                    await self.push_limits()
                    await self.resubmit()
                    epoch, due = current, time() + every
            except Unavailable as error:
                self._log.warning("reconcile.put_off", error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), look)

    async def push_limits(self) -> None:
        """Tell the scheduler every tenant's and account's limits, as the store has them."""
        for account in await self._store.accounts():
            await self._producer.set_pool(account.id, limit=account.limit, paused=account.paused)
        for tenant in await self._store.tenants():
            await self._producer.set_tenant(tenant.id, slots=tenant.slots, weight=tenant.weight, paused=tenant.paused)

    async def resubmit(self) -> int:
        """Submit every unfinished recording that the scheduler does not know (S5); return how many those were."""
        after, found, overdue = None, 0, 0
        while batch := await self._store.unfinished(after, limit=_BATCH):
            found += await self._producer.submit_many([self._job(recording) for recording in batch])
            overdue += sum(self._is_overdue(recording) for recording in batch)
            after = batch[-1].id
        if found:
            self._log.info("jobs.resubmitted", count=found)
        if overdue:
            self._log.warning(
                "recordings.overdue", count=overdue, older_than_s=self._settings.queued_ttl.total_seconds()
            )
        return found

    def _job(self, recording: Recording) -> tuple[Job, timedelta | None]:
        delay = recording.not_before - self._clock.now() if recording.not_before else None
        return Job(recording.id, recording.account_id, recording.tenant_id), delay

    def _is_overdue(self, recording: Recording) -> bool:
        waits = self._clock.now() - (recording.not_before or recording.updated_at)
        return recording.state is State.QUEUED and waits > self._settings.queued_ttl
