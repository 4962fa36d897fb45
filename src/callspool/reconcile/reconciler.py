"""Store against scheduler: every unfinished recording has a job, every limit is known. The store is right.

It mends what a process left that died between a commit and its submit, and refills a Valkey that lost its data.
Several may run at once: all they do is idempotent.
"""

import asyncio
from collections.abc import Container
from datetime import timedelta

import structlog

from callspool.domain.job import Job, Lane, Names, PoolLimits, TenantLimits
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.scheduler import Producer
from callspool.domain.ports.store import Store
from callspool.domain.recording import Recording, State
from callspool.lifecycle.schedule import Lifecycle
from callspool.loop import for_ever
from callspool.settings import Settings
from callspool.tasks import cancel

_BATCH = 500
_LOOK_EVERY = timedelta(seconds=5)
"""How often Valkey is asked whether it lost its data: one small call."""
_LOOKS_PER_LEASE = 4
"""Half a lease time without a call looks like a jump of its clock, and where no worker lives nobody else calls: what
the last one ran would come back a lease time later."""


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
        self._epoch: int | None = None
        self._due = 0.0

    def stop(self) -> None:
        """Let `run` return."""
        self._stopping.set()

    async def run(self) -> None:
        """Reconcile at once, then at its pace, and at once whenever Valkey has lost its data."""
        look = min(self._settings.reconcile_every, _LOOK_EVERY, self._settings.lease / _LOOKS_PER_LEASE)
        works = [asyncio.create_task(for_ever("reconcile", self._look, rest=look))]
        if self._lifecycle is not None:
            works.append(asyncio.create_task(self._lifecycle.run(self._stopping)))
        try:
            await self._stopping.wait()
        finally:
            await cancel(*works)

    async def _look(self) -> None:
        """Reconcile if it is time, or the scheduler has lost its data."""
        time = asyncio.get_running_loop().time
        epoch = await self._producer.epoch()
        if epoch != self._epoch or time() >= self._due:
            await self.push_limits()
            await self.resubmit()
            await self.forget_removed()
            self._epoch, self._due = epoch, time() + self._settings.reconcile_every.total_seconds()

    async def push_limits(self) -> None:
        """Tell the scheduler every tenant's and account's limits, as the store has them.

        What changed in the store meanwhile is told again: its new limit may have come before the old one from here.
        """
        told: set[PoolLimits | TenantLimits] = set()
        while True:
            pools = [PoolLimits(one.id, one.limit, one.paused) for one in await self._store.accounts()]
            tenants = [TenantLimits(one.id, one.slots, one.weight, one.paused) for one in await self._store.tenants()]
            news = {*pools, *tenants} - told
            if not news:
                return
            await self._producer.set_limits(
                [one for one in pools if one in news], [one for one in tenants if one in news]
            )
            told = {*pools, *tenants}

    async def resubmit(self) -> int:
        """Submit every unfinished recording that the scheduler does not know (S5); return how many those were."""
        after, found, overdue = None, 0, 0
        resting = await self._resting()
        while batch := await self._store.unfinished(after, limit=_BATCH):
            found += await self._producer.submit_many([self._job(recording) for recording in batch])
            overdue += sum(self._is_overdue(recording) for recording in batch if not _rests(recording, resting))
            after = batch[-1].id
        if found:
            self._log.info("jobs.resubmitted", count=found)
        if overdue:
            self._log.warning(
                "recordings.overdue", count=overdue, older_than_s=self._settings.queued_ttl.total_seconds()
            )
        return found

    async def forget_removed(self) -> int:
        """Have the scheduler forget accounts and endpoints that the store has no more; return how many."""
        kept = await self._producer.names()  # first: whatever comes later is not among them
        endpoints = {one.id for one in await self._store.endpoints(None)}
        staying = Names(
            pools=frozenset(endpoints | {one.id for one in await self._store.accounts()}),
            tenants=frozenset(endpoints | {one.id for one in await self._store.tenants()}),
        )
        gone = Names(kept.pools - staying.pools, kept.tenants - staying.tenants)
        if not (gone.pools or gone.tenants):
            return 0
        forgotten = await self._producer.forget(gone, staying)
        if forgotten:
            self._log.info("limits.forgotten", count=forgotten)
        return forgotten

    async def _resting(self) -> tuple[Container[str], Container[str]]:
        """Return the tenants and the accounts that a person paused: what waits there waits on purpose."""
        tenants = {tenant.id for tenant in await self._store.tenants() if tenant.paused}
        return tenants, {account.id for account in await self._store.accounts() if account.paused}

    def _job(self, recording: Recording) -> tuple[Job, timedelta | None]:
        delay = recording.not_before - self._clock.now() if recording.not_before else None
        lane = Lane.BULK if recording.wanted_at is None else Lane.INTERACTIVE
        return Job(recording.id, recording.account_id, recording.tenant_id, lane), delay

    def _is_overdue(self, recording: Recording) -> bool:
        waits = self._clock.now() - (recording.not_before or recording.updated_at)
        return recording.state is State.QUEUED and waits > self._settings.queued_ttl


def _rests(recording: Recording, resting: tuple[Container[str], Container[str]]) -> bool:
    tenants, accounts = resting
    return recording.tenant_id in tenants or recording.account_id in accounts
