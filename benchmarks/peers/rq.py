"""Limits are rq's own ``RateLimit``: a key a tenant, handed on when a job ends.

A worker pool of as many ``SimpleWorker`` processes as there are seats (rq runs one job a process), which wait for
each other before they begin; for the kill its default, forking ``Worker``; for jobs without work one ``SimpleWorker``
and no limits. Results are not kept. Put in by ``enqueue_many`` where there is no limit (it takes none), else one by
one.
"""

import time
from multiprocessing import get_context
from typing import Any, Final

from redis import Redis
from rq import Queue, RateLimit, SimpleWorker, Worker
from rq.worker_pool import WorkerPool

from benchmarks.journal import Journal, journal
from benchmarks.subject import Setting
from benchmarks.workload import Task

_TIMEOUT_S: Final = 7200


class Rq:
    """`benchmarks.subject.Subject`."""

    def __init__(self, setting: Setting) -> None:
        self._folder = str(setting.folder)
        self._load = setting.load
        self._redis: Any = Redis.from_url(setting.url)

    async def prepare(self) -> None:
        """Nothing."""

    async def submit(self) -> None:
        """Put in all with one call, where there are no limits."""
        if self._load.limited:
            await self.submit_singly()
            return
        datas = [
            Queue.prepare_data(do, self._arguments(task), result_ttl=0, timeout=_TIMEOUT_S) for task in self._load.tasks
        ]
        self._queue().enqueue_many(datas)

    async def submit_singly(self) -> None:
        """Put in one by one."""
        queue = self._queue()
        for task in self._load.tasks:
            limit = RateLimit(f"tenant-{task.tenant}", self._load.slots) if self._load.limited else None
            queue.enqueue(do, *self._arguments(task), result_ttl=0, job_timeout=_TIMEOUT_S, rate_limit=limit)

    async def work(self, journal: Journal) -> None:
        """Run until killed."""
        if self._load.name.startswith("w2"):
            SimpleWorker([self._queue()], connection=self._redis).work(logging_level="CRITICAL")
            return
        is_kill = self._load.name == "w3"
        pool = WorkerPool(
            ["default"],
            connection=self._redis,
            num_workers=self._load.seats,
            worker_class=Worker if is_kill else _waiting_for(self._load.seats),
        )
        pool.start(logging_level="CRITICAL")

    def _queue(self) -> Queue:
        return Queue(connection=self._redis)

    def _arguments(self, task: Task) -> tuple[str, int, float]:
        return self._folder, task.number, task.service_s


def _waiting_for(others: int) -> type[SimpleWorker]:
    barrier = get_context("fork").Barrier(others)

    class Ready(SimpleWorker):
        def bootstrap(self, *arguments: Any, **named: Any) -> None:
            super().bootstrap(*arguments, **named)
            barrier.wait()

    return Ready


def do(folder: str, number: int, service_s: float) -> None:
    """Run one job."""
    noted = journal(folder)
    noted.started(number)
    if service_s:
        time.sleep(service_s)
    noted.ended(number)


SUBJECT = Rq
