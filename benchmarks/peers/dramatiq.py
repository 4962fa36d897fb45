"""Limits by dramatiq's ``ConcurrentRateLimiter``; a job that finds no slot is retried after 20 ms (its own
back-off, minimum and maximum set to that).

One worker, threads = seats; jobs without work have no limiter. Put in by ``send``: it
has no call for many. Logging is off.
"""

import asyncio
import logging
import time
from typing import Any, Final

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import ConcurrentRateLimiter, RateLimitExceeded
from dramatiq.rate_limits.backends import RedisBackend

from benchmarks.journal import Journal
from benchmarks.subject import Setting

_RETRY_MS: Final = 20
_LIMITER_TTL_MS: Final = 900_000  # its default
_FOR_EVER_MS: Final = 7_200_000


class Dramatiq:
    """`benchmarks.subject.Subject`."""

    def __init__(self, setting: Setting) -> None:
        logging.disable()
        self._url = setting.url
        self._load = setting.load
        self._broker: Any = RedisBroker(url=setting.url)
        self._journal: Journal | None = None
        self._limiters: dict[int, ConcurrentRateLimiter] = {}
        options = {"max_retries": None, "min_backoff": _RETRY_MS, "max_backoff": _RETRY_MS}
        self._actor: Any = dramatiq.actor(
            self._do, broker=self._broker, actor_name="do", time_limit=_FOR_EVER_MS, **options
        )

    async def prepare(self) -> None:
        """Nothing."""

    async def submit(self) -> None:
        """Put in one by one."""
        for task in self._load.tasks:
            self._actor.send(task.number)

    async def submit_singly(self) -> None:
        """The same."""
        await self.submit()

    async def work(self, journal: Journal) -> None:
        """Run until killed."""
        self._journal = journal
        backend = RedisBackend(url=self._url)
        if self._load.limited:
            self._limiters = {
                tenant: ConcurrentRateLimiter(backend, f"tenant-{tenant}", limit=self._load.slots, ttl=_LIMITER_TTL_MS)
                for tenant in range(self._load.tenants)
            }
        dramatiq.Worker(self._broker, worker_threads=self._load.seats).start()
        await asyncio.Event().wait()

    def _do(self, number: int) -> None:
        assert self._journal
        task = self._load.tasks[number]
        if not self._load.limited:
            self._journal.started(number)
            self._journal.ended(number)
            return
        try:
            with self._limiters[task.tenant].acquire():
                self._journal.started(number)
                if task.service_s:
                    time.sleep(task.service_s)
                self._journal.ended(number)
        except RateLimitExceeded:
            self._journal.tried(number)
            raise


SUBJECT = Dramatiq
