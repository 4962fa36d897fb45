"""Works off operations: bounded steps, one after another, for as long as there is something to do.

Where an operation stands is in the store alone. Several processes may run this: the store lets one at a time.
"""

from datetime import timedelta

import structlog

from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.job import Job
from callspool.domain.operation import OperationState
from callspool.domain.ports.operations import OperationStore
from callspool.domain.ports.scheduler import Bulletin, Producer
from callspool.loop import Outage, for_ever

STEP = 50
"""Recordings in one transaction: a few milliseconds, so that nobody else's write waits long."""
_AGAIN = timedelta(seconds=1)


class OperationRunner:
    """Runs until it is cancelled, which may be at any time."""

    def __init__(self, *, store: OperationStore, producer: Producer, bulletin: Bulletin) -> None:
        self._store = store
        self._producer = producer
        self._bulletin = bulletin
        self._log = structlog.get_logger()
        self._outage = Outage("operations")

    async def run(self) -> None:
        """Look at every hint, and every few seconds without one, for ever. A part that is away is waited for."""
        await for_ever("operations", self._follow, rest=_AGAIN, outage=self._outage)

    async def _follow(self) -> None:
        async for _ in self._bulletin.listen():
            while await self.step():
                pass
            self._outage.is_over()

    async def step(self) -> bool:
        """Do a bit of what there is to do; False: there is nothing."""
        worked = await self._store.work_off(most=STEP)
        if worked is None:
            return False
        jobs = [Job(recording.id, recording.account_id, recording.tenant_id) for recording in worked.queued]
        try:
            await self._producer.submit_many([(job, None) for job in jobs])
        except SchedulerUnavailable:
            self._log.warning("jobs.not_submitted", count=len(jobs))  # they are queued: the reconciler submits them
        operation = worked.operation
        if operation.state is OperationState.DONE:
            self._log.info("operation.done", id=operation.id, done=operation.done, skipped=operation.skipped)
        await self._bulletin.ring()
        return True
