"""Limits by procrastinate's lock: ``tenant:n`` with n from 0 to slots - 1, dealt out in turn, so that a tenant has
as many lines as slots. A line that is idle does not help another.

One worker, concurrency = seats, polling every 50 ms (default: 5 s). Jobs without work have no locks. Put in by
``batch_defer_async``, all at once without locks, a line at a time with them.
"""

import asyncio
from typing import Any, Final

import procrastinate

from benchmarks.journal import Journal
from benchmarks.subject import Setting
from benchmarks.workload import Task

_POLL_S: Final = 0.05


class Procrastinate:
    """`benchmarks.subject.Subject`."""

    def __init__(self, setting: Setting) -> None:
        self._load = setting.load
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=setting.url))
        self._journal: Journal | None = None
        self._task: Any = self._app.task(name="do")(self._do)

    async def prepare(self) -> None:
        """Make the tables."""
        async with self._app.open_async():
            await self._app.schema_manager.apply_schema_async()

    async def submit(self) -> None:
        """Put in by batches of one lock; jobs of different locks keep no order among each other."""
        async with self._app.open_async():
            if not self._load.limited:
                await self._task.batch_defer_async(*({"number": task.number} for task in self._load.tasks))
                return
            lines: dict[str, list[int]] = {}
            for task in self._load.tasks:
                lines.setdefault(self._line(task), []).append(task.number)
            for line, numbers in lines.items():
                await self._task.configure(lock=line).batch_defer_async(*({"number": number} for number in numbers))

    async def submit_singly(self) -> None:
        """Put in one by one."""
        async with self._app.open_async():
            for task in self._load.tasks:
                lock = self._line(task) if self._load.limited else None
                await self._task.configure(lock=lock).defer_async(number=task.number)

    async def work(self, journal: Journal) -> None:
        """Run until killed."""
        self._journal = journal
        async with self._app.open_async():
            await self._app.run_worker_async(
                concurrency=self._load.seats, fetch_job_polling_interval=_POLL_S, install_signal_handlers=False
            )

    async def _do(self, number: int) -> None:
        assert self._journal
        task = self._load.tasks[number]
        self._journal.started(number)
        if task.service_s:
            await asyncio.sleep(task.service_s)
        self._journal.ended(number)

    def _line(self, task: Task) -> str:
        return f"{task.tenant}:{task.number % self._load.slots}"


SUBJECT = Procrastinate
