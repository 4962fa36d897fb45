"""Limits by a counter in Valkey (celery has none that counts running jobs): a job that finds no slot is retried with
a countdown of 0.1 s.

One worker with the pool of threads, threads = seats; for jobs without work the pool ``solo``, which is the fastest
of one process. Acknowledged late, as a job must not be lost; no results, gossip or mingle. Put in by
``apply_async``: it has no call for many.
"""

import logging
import time
from typing import Any, Final

from celery import Celery

from benchmarks.journal import Journal
from benchmarks.peers.semaphore import Semaphore
from benchmarks.subject import Setting

_RETRY_S: Final = 0.1


class CeleryQueue:
    """`benchmarks.subject.Subject`."""

    def __init__(self, setting: Setting) -> None:
        self._load = setting.load
        self._slots = Semaphore(setting.url, setting.load.slots)
        self._journal: Journal | None = None
        self._app: Any = Celery(broker=setting.url.replace("unix://", "redis+socket://"))
        self._app.conf.update(
            task_acks_late=True,
            task_ignore_result=True,
            worker_send_task_events=False,
            worker_hijack_root_logger=False,
            broker_connection_retry_on_startup=True,
        )
        self._task: Any = self._app.task(name="do", bind=True, max_retries=None)(self._do_bound())

    async def prepare(self) -> None:
        """Nothing."""

    async def submit(self) -> None:
        """Put in one by one."""
        for task in self._load.tasks:
            self._task.apply_async((task.number,))

    async def submit_singly(self) -> None:
        """The same."""
        await self.submit()

    async def work(self, journal: Journal) -> None:
        """Run until killed."""
        logging.disable()
        self._journal = journal
        pool = ["--pool=threads", f"--concurrency={self._load.seats}"] if self._load.limited else ["--pool=solo"]
        quiet = ["--loglevel=CRITICAL", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        self._app.worker_main(["worker", *pool, *quiet])

    def _do_bound(self) -> Any:
        def do(job: Any, number: int) -> None:
            assert self._journal
            task = self._load.tasks[number]
            if self._load.limited and not self._slots.acquire(task.tenant):
                self._journal.tried(number)
                raise job.retry(countdown=_RETRY_S)
            try:
                self._journal.started(number)
                if task.service_s:
                    time.sleep(task.service_s)
                self._journal.ended(number)
            finally:
                if self._load.limited:
                    self._slots.release(task.tenant)

        return do


SUBJECT = CeleryQueue
