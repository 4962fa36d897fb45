"""Limits are the scheduler's own: slots a tenant, one pool that has room for all.

Tasks are put in by batches; singly, one call each. The worker is one process with the loop of callspool's own
workers: each turn settles what ended and claims what there is room for, each lease becomes a task, and with
nothing to do it blocks on its wake-up list. Jobs without work are over before a turn is: for them the process has two
such loops, each with half of the seats, so that one's jobs run while the other's turn is under way. A job's payload is
its id: what it stands for is looked up by it.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

from benchmarks.journal import Journal
from benchmarks.subject import Setting
from benchmarks.workload import Task
from callspool.domain.job import Job, Lease, Settlement, Verdict
from callspool.domain.ports.scheduler import Consumer
from callspool.scheduler.connection import Functions
from callspool.scheduler.consumer import ValkeyConsumer
from callspool.scheduler.producer import ValkeyProducer

POOL = "main"
_AT_ONCE = 100
_LONGEST_WAIT = timedelta(seconds=30)


@asynccontextmanager
async def producer(url: str) -> AsyncIterator[ValkeyProducer]:
    """Give the side that submits. The one place, with `consumer`, that knows how callspool's parts are made."""
    functions = Functions(url)
    try:
        yield ValkeyProducer(functions)
    finally:
        await functions.close()


@asynccontextmanager
async def consumer(url: str, lease_s: float = 30.0) -> AsyncIterator[Consumer]:
    """Give the side that claims."""
    made = ValkeyConsumer(url, worker_id=f"bench-{secrets.token_hex(4)}", lease=timedelta(seconds=lease_s))
    try:
        yield made
    finally:
        await made.close()


async def open_pool(side: ValkeyProducer, tenants: Iterator[str] | list[str], slots: int) -> None:
    """Set the limits, and end the wait of a new lifetime: there is no older worker."""
    await side.open()
    await side.set_pool(POOL, limit=1_000_000, paused=False)
    names = list(tenants)
    for start in range(0, len(names), _AT_ONCE):
        part = names[start : start + _AT_ONCE]
        await asyncio.gather(*(side.set_tenant(name, slots=slots, weight=1, paused=False) for name in part))


def job(number: int, tenant: int) -> Job:
    """Return a job with names as long as real ones."""
    return Job(f"rec_{number:032x}", POOL, f"tenant-{tenant}")


class Callspool:
    """`benchmarks.subject.Subject`."""

    def __init__(self, setting: Setting) -> None:
        self._url = setting.url
        self._load = setting.load

    async def prepare(self) -> None:
        """Load the functions and set the limits."""
        async with producer(self._url) as side:
            names = [f"tenant-{number}" for number in range(self._load.tenants)]
            await open_pool(side, names, self._load.slots)

    async def submit(self) -> None:
        """Put in by batches."""
        async with producer(self._url) as side:
            await side.submit_many([(job(task.number, task.tenant), None) for task in self._load.tasks])

    async def submit_singly(self) -> None:
        """Put in one by one."""
        async with producer(self._url) as side:
            for task in self._load.tasks:
                await side.submit(job(task.number, task.tenant))

    async def work(self, journal: Journal) -> None:
        """Run until killed."""
        loops = 1 if self._load.has_work else 2
        async with asyncio.TaskGroup() as group:
            for _ in range(loops):
                group.create_task(self._loop(self._load.seats // loops, journal))

    async def _loop(self, seats: int, journal: Journal) -> None:
        async with consumer(self._url, self._load.lease_s) as side:
            await _Worker(side, self._load.tasks, seats, journal).run()


class _Worker:
    def __init__(self, side: Consumer, tasks: tuple[Task, ...], seats: int, journal: Journal) -> None:
        self._consumer = side
        self._work = tasks
        self._seats = seats
        self._journal = journal
        self._running: dict[str, asyncio.Task[None]] = {}
        self._settled: list[Settlement] = []
        self._bell = asyncio.Event()

    async def run(self) -> None:
        listening: asyncio.Task[bool] | None = None
        while True:
            self._bell.clear()
            settled, self._settled = self._settled, []
            room = self._seats - len(self._running)
            turn = await self._consumer.turn(settled, room)
            for lease in turn.leases:
                self._begin(lease)
            pause = _LONGEST_WAIT
            if room > len(turn.leases):
                if turn.next_due_ms is not None:
                    pause = min(pause, timedelta(milliseconds=max(1, turn.next_due_ms)))
                if listening is None or listening.done():
                    listening = asyncio.create_task(self._consumer.wait(_LONGEST_WAIT))
                    listening.add_done_callback(lambda _: self._bell.set())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause.total_seconds()):
                    await self._bell.wait()

    def _begin(self, lease: Lease) -> None:
        self._running[lease.token] = asyncio.create_task(self._do(lease))

    async def _do(self, lease: Lease) -> None:
        task = self._work[int(lease.job.id[4:], 16)]
        self._journal.started(task.number)
        if task.service_s:
            await asyncio.sleep(task.service_s)
        self._journal.ended(task.number)
        del self._running[lease.token]
        self._settled.append(Settlement(lease.job.id, lease.token, Verdict.DONE))
        self._bell.set()


SUBJECT = Callspool
