"""Limits are pgqueuer's own: an entrypoint a tenant with ``concurrency_limit``, enforced in SQL. They have to be
declared before the worker starts and cannot change while it runs.

One worker with ``max_concurrent_tasks`` = seats and batches of half of that (the most it allows); jobs without work
have one entrypoint without a limit. Put in by ``enqueue`` with lists, or singly.
"""

import asyncio
from datetime import timedelta

import asyncpg
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries

from benchmarks.journal import Journal
from benchmarks.subject import Setting
from benchmarks.workload import Task


class PgQueuer:
    """`benchmarks.subject.Subject`."""

    def __init__(self, setting: Setting) -> None:
        self._url = setting.url
        self._load = setting.load

    async def prepare(self) -> None:
        """Make the tables."""
        connection = await asyncpg.connect(self._url)
        await Queries(AsyncpgDriver(connection)).install()
        await connection.close()

    async def submit(self) -> None:
        """Put in all with one call."""
        connection = await asyncpg.connect(self._url)
        tasks = self._load.tasks
        await Queries(AsyncpgDriver(connection)).enqueue(
            [self._entrypoint(task) for task in tasks], [_payload(task) for task in tasks], [0] * len(tasks)
        )
        await connection.close()

    async def submit_singly(self) -> None:
        """Put in one by one."""
        connection = await asyncpg.connect(self._url)
        queries = Queries(AsyncpgDriver(connection))
        for task in self._load.tasks:
            await queries.enqueue(self._entrypoint(task), _payload(task))
        await connection.close()

    async def work(self, journal: Journal) -> None:
        """Run until killed."""
        manager = QueueManager(Queries(AsyncpgDriver(await asyncpg.connect(self._url))))

        async def do(job: Job) -> None:
            task = self._load.tasks[int(job.payload or b"0")]
            journal.started(task.number)
            if task.service_s:
                await asyncio.sleep(task.service_s)
            journal.ended(task.number)

        for name in sorted({self._entrypoint(task) for task in self._load.tasks}):
            manager.entrypoint(name, concurrency_limit=self._load.slots if self._load.limited else 0)(do)
        seats = max(2, self._load.seats)
        await manager.run(dequeue_timeout=timedelta(seconds=1), batch_size=seats // 2, max_concurrent_tasks=seats)

    def _entrypoint(self, task: Task) -> str:
        return f"tenant-{task.tenant}" if self._load.limited else "any"


def _payload(task: Task) -> bytes:
    return str(task.number).encode()


SUBJECT = PgQueuer
