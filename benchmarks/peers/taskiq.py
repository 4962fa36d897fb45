"""Limits by a counter in Valkey (taskiq has none): a job that finds no slot waits 50 ms in its seat and
is put in again, as taskiq's own retry middleware does where there is no scheduler process (whose step is a second).

The broker is ``RedisStreamBroker``, which acknowledges; one receiver, ``max_async_tasks`` = seats. Put in by
``kiq``: it has no call for many.
"""

import asyncio
import logging
from typing import Any, Final

from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

from benchmarks.journal import Journal
from benchmarks.peers.semaphore import AsyncSemaphore
from benchmarks.subject import Setting

_RETRY_S: Final = 0.05


class Taskiq:
    """`benchmarks.subject.Subject`."""

    def __init__(self, setting: Setting) -> None:
        self._load = setting.load
        self._url = setting.url
        self._broker = RedisStreamBroker(setting.url)
        self._slots: AsyncSemaphore | None = None
        self._journal: Journal | None = None
        self._task: Any = self._broker.task(task_name="do")(self._function())

    async def prepare(self) -> None:
        """Make the stream's group, which sees only what comes after it."""
        await self._broker.startup()

    async def submit(self) -> None:
        """Put in one by one."""
        for task in self._load.tasks:
            await self._task.kiq(task.number)

    async def submit_singly(self) -> None:
        """The same."""
        await self.submit()

    async def work(self, journal: Journal) -> None:
        """Run until killed."""
        logging.disable()
        self._journal = journal
        self._slots = AsyncSemaphore(self._url, self._load.slots)
        await run_receiver_task(self._broker, max_async_tasks=self._load.seats, run_startup=True)

    def _function(self) -> Any:
        async def do(number: int) -> None:  # taskiq takes no methods
            await self._do(number)

        return do

    async def _do(self, number: int) -> None:
        assert self._journal
        assert self._slots
        task = self._load.tasks[number]
        if self._load.limited and not await self._slots.acquire(task.tenant):
            self._journal.tried(number)
            await asyncio.sleep(_RETRY_S)
            await self._task.kiq(number)
            return
        try:
            self._journal.started(number)
            if task.service_s:
                await asyncio.sleep(task.service_s)
            self._journal.ended(number)
        finally:
            if self._load.limited:
                await self._slots.release(task.tenant)


SUBJECT = Taskiq
