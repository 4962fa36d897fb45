"""Submits messages to the scheduler: new ones at once, all that have not arrived when the scheduler may have lost them.

What is to be sent is in the store alone. Several processes may run this: all they do is idempotent.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from callspool.domain.job import Job
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.scheduler import Bulletin, Producer
from callspool.domain.webhook import AT_ONCE, Delivery, WebhookStore
from callspool.loop import Outage, for_ever
from callspool.settings import Settings

KEPT: Final = timedelta(days=30)
"""How long messages that ended can be looked up."""
_BATCH: Final = 200
_AGAIN: Final = timedelta(seconds=1)


class Courier:
    """Runs until it is cancelled, which may be at any time."""

    def __init__(
        self, *, store: WebhookStore, producer: Producer, bulletin: Bulletin, clock: Clock, settings: Settings
    ) -> None:
        self._store = store
        self._producer = producer
        self._bulletin = bulletin
        self._clock = clock
        self._settings = settings
        self._epoch: int | None = None
        self._due: datetime | None = None
        self._outage = Outage("webhooks")

    async def run(self) -> None:
        """Look at every hint, and every few seconds without one, for ever. A part that is away is waited for."""
        await for_ever("webhooks", self._follow, rest=_AGAIN, outage=self._outage)

    async def _follow(self) -> None:
        async for _ in self._bulletin.listen():
            await self.step()
            self._outage.is_over()

    async def step(self) -> None:
        """Submit what is new; from time to time, and after the scheduler lost its data, all there is."""
        epoch, now = await self._producer.epoch(), self._clock.now()
        if epoch != self._epoch or self._due is None or now >= self._due:
            await self._submit_all()
            await self._store.forget_deliveries(now - KEPT, limit=_BATCH)
            self._epoch, self._due = epoch, now + self._settings.reconcile_every
        while batch := await self._store.pending_deliveries(None, limit=_BATCH, submitted=False):
            await self._submit(batch)
            await self._store.deliveries_submitted([delivery.id for delivery in batch])

    async def _submit_all(self) -> None:
        after = None
        while batch := await self._store.pending_deliveries(after, limit=_BATCH):
            await self._submit(batch)
            after = batch[-1].id

    async def _submit(self, batch: Sequence[Delivery]) -> None:
        for endpoint_id in sorted({delivery.endpoint_id for delivery in batch}):
            await self._producer.set_pool(endpoint_id, limit=AT_ONCE, paused=False)
            await self._producer.set_tenant(endpoint_id, slots=AT_ONCE, weight=1.0, paused=False)
        await self._producer.submit_many([self._job(delivery) for delivery in batch])

    def _job(self, delivery: Delivery) -> tuple[Job, timedelta | None]:
        delay = delivery.not_before - self._clock.now() if delivery.not_before else None
        return Job(delivery.id, delivery.endpoint_id, delivery.endpoint_id), delay
