"""Limits by a counter in Valkey (saq has none): a job that finds no slot waits 50 ms in its seat, fails and is
retried without a delay. (saq looks for delayed jobs once a second at most: with its own delay of 0.1 s W1 takes 43 s
instead of 5.)

One worker, concurrency = seats. Jobs have no time limit but a heartbeat of 20 s. Put in by ``enqueue``: it has no
call for many.
"""

import asyncio
import logging
from typing import Any, Final

from saq import Job, Worker
from saq.queue.redis import RedisQueue

from benchmarks.journal import Journal
from benchmarks.peers.semaphore import AsyncSemaphore
from benchmarks.subject import Setting
from benchmarks.workload import Task

_RETRY_S: Final = 0.05
_HEARTBEAT_S: Final = 20


class NoSlot(Exception):
    """Try again later."""


class Saq:
    """`benchmarks.subject.Subject`."""

    def __init__(self, setting: Setting) -> None:
        self._load = setting.load
        self._url = setting.url
        self._slots: AsyncSemaphore | None = None
        self._journal: Journal | None = None

    async def prepare(self) -> None:
        """Nothing."""

    async def submit(self) -> None:
        """Put in one by one."""
        queue = RedisQueue.from_url(self._url)
        for task in self._load.tasks:
            await queue.enqueue(_job(task))
        await queue.disconnect()

    async def submit_singly(self) -> None:
        """The same."""
        await self.submit()

    async def work(self, journal: Journal) -> None:
        """Run until killed."""
        logging.disable()
        self._journal = journal
        self._slots = AsyncSemaphore(self._url, self._load.slots)
        worker: Any = Worker(
            RedisQueue.from_url(self._url),
            functions=[("do", self._do)],
            concurrency=self._load.seats,
        )
        await worker.start()

    async def _serve(self, job: Job, service_s: float) -> None:
        while service_s > _HEARTBEAT_S:
            await asyncio.sleep(_HEARTBEAT_S / 2)
            await job.update()
            service_s -= _HEARTBEAT_S / 2
        if service_s:
            await asyncio.sleep(service_s)

    async def _do(self, context: Any, *, number: int) -> None:
        assert self._journal
        assert self._slots
        task = self._load.tasks[number]
        if self._load.limited and not await self._slots.acquire(task.tenant):
            self._journal.tried(number)
            await asyncio.sleep(_RETRY_S)
            raise NoSlot
        try:
            self._journal.started(number)
            await self._serve(context["job"], task.service_s)
            self._journal.ended(number)
        finally:
            if self._load.limited:
                await self._slots.release(task.tenant)


def _job(task: Task) -> Job:
    return Job(
        "do",
        kwargs={"number": task.number},
        key=str(task.number),
        timeout=0,
        ttl=-1,
        heartbeat=_HEARTBEAT_S,
        retries=100_000,
        retry_delay=0,
    )


SUBJECT = Saq
