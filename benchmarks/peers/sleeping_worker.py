"""The algorithm that callspool replaces: a list of jobs, a counter of slots a tenant; a worker that finds no slot
sleeps 2, 5, 10, 20 and 40 s with the job in its hand, and after five tries drops it.

Its workers are tasks of one event loop, one a seat: cheaper than the threads of the original.
"""

import asyncio
from typing import Any, Final

from redis.asyncio import Redis

from benchmarks.journal import Journal
from benchmarks.peers.semaphore import AsyncSemaphore
from benchmarks.subject import Setting

_SLEEPS_S: Final = (2, 5, 10, 20, 40)
_QUEUE: Final = "jobs"


class SleepingWorker:
    """`benchmarks.subject.Subject`."""

    def __init__(self, setting: Setting) -> None:
        self._url = setting.url
        self._load = setting.load

    async def prepare(self) -> None:
        """Nothing."""

    async def submit(self) -> None:
        """Push all in one command."""
        client: Any = Redis.from_url(self._url)
        await client.rpush(_QUEUE, *(task.number for task in self._load.tasks))
        await client.aclose()

    async def submit_singly(self) -> None:
        """Push one by one."""
        client: Any = Redis.from_url(self._url)
        for task in self._load.tasks:
            await client.rpush(_QUEUE, task.number)
        await client.aclose()

    async def work(self, journal: Journal) -> None:
        """Run until killed."""
        slots = AsyncSemaphore(self._url, self._load.slots)
        await asyncio.gather(*(self._work(journal, slots) for _ in range(self._load.seats)))

    async def _work(self, journal: Journal, slots: AsyncSemaphore) -> None:
        client: Any = Redis.from_url(self._url)
        while True:
            taken = await client.blpop([_QUEUE], 0)
            task = self._load.tasks[int(taken[1])]
            for pause in (*_SLEEPS_S, None):
                if await slots.acquire(task.tenant):
                    try:
                        journal.started(task.number)
                        if task.service_s:
                            await asyncio.sleep(task.service_s)
                        journal.ended(task.number)
                    finally:
                        await slots.release(task.tenant)
                    break
                journal.tried(task.number)
                if pause is None:
                    journal.dropped(task.number)
                else:
                    await asyncio.sleep(pause)


SUBJECT = SleepingWorker
