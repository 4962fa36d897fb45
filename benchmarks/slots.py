"""How near to the physical bound does the scheduler drain a skewed load, and how many empty jobs does it pass a second?

W1: tenant 0 has 200 jobs, 19 tenants have 10 each, put in in that order; a job holds its slot for 50 ms; 3 slots a
tenant; one worker with 64 seats. Bound: 200 x 0.05 / 3 = 3.33 s.
W2: 5,000 jobs without work over 1,000 tenants, one worker.
"""

import asyncio
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from callspool.domain.job import Job, Lease, Settlement, Verdict
from callspool.scheduler.connection import Functions
from callspool.scheduler.consumer import ValkeyConsumer
from callspool.scheduler.embedded import Embedded
from callspool.scheduler.producer import ValkeyProducer

SEATS = 64
SERVICE_S = 0.05
BOUND_S = 200 * SERVICE_S / 3


@asynccontextmanager
async def _scheduler() -> AsyncIterator[tuple[ValkeyProducer, ValkeyConsumer]]:
    with tempfile.TemporaryDirectory() as folder:
        server = Embedded(Path(folder))
        server.start()
        functions = Functions(server.url)
        producer = ValkeyProducer(functions)
        await producer.open()
        await producer.set_pool("main", limit=10_000, paused=False)
        consumer = ValkeyConsumer(server.url, worker_id="bench", lease=timedelta(seconds=30))
        try:
            yield producer, consumer
        finally:
            await consumer.close()
            await functions.close()
            server.stop()


async def _skewed_drain() -> float:
    async with _scheduler() as (producer, consumer):
        jobs = [Job(f"0-{n}", "main", "t0") for n in range(200)]
        jobs += [Job(f"{t}-{n}", "main", f"t{t}") for t in range(1, 20) for n in range(10)]
        for tenant in range(20):
            await producer.set_tenant(f"t{tenant}", slots=3, weight=1, paused=False)
        await producer.submit_many([(job, None) for job in jobs])
        settled: list[Settlement] = []
        ended = asyncio.Event()

        def end(lease: Lease) -> None:
            settled.append(Settlement(lease.job.id, lease.token, Verdict.DONE))
            ended.set()

        running, left, begun = 0, len(jobs), time.perf_counter()
        loop = asyncio.get_running_loop()
        while left:
            batch, settled[:] = list(settled), []
            ended.clear()
            running, left = running - len(batch), left - len(batch)
            turn = await consumer.turn(batch, SEATS - running)
            running += len(turn.leases)
            for lease in turn.leases:
                loop.call_later(SERVICE_S, end, lease)
            if left:
                await ended.wait()
        return time.perf_counter() - begun


async def _empty_jobs() -> tuple[float, float]:
    async with _scheduler() as (producer, consumer):
        for tenant in range(1000):
            await producer.set_tenant(f"t{tenant}", slots=3, weight=1, paused=False)
        begun = time.perf_counter()
        await producer.submit_many([(Job(f"j{n}", "main", f"t{n % 1000}"), None) for n in range(5000)])
        submitted = time.perf_counter() - begun
        begun, done, leases = time.perf_counter(), 0, ()
        while done < 5000:
            settled = [Settlement(lease.job.id, lease.token, Verdict.DONE) for lease in leases]
            done += len(settled)
            leases = (await consumer.turn(settled, SEATS)).leases
        return 5000 / submitted, 5000 / (time.perf_counter() - begun)


async def measure(runs: int) -> list[dict[str, Any]]:
    """Return the figures."""
    drains = [await _skewed_drain() for _ in range(runs)]
    passes = [await _empty_jobs() for _ in range(runs)]
    return [
        _figure("W1 makespan / bound", [drain / BOUND_S for drain in drains], "x"),
        _figure("W2 submits", [submits for submits, _ in passes], "jobs/s"),
        _figure("W2 empty jobs", [jobs for _, jobs in passes], "jobs/s"),
    ]


def _figure(name: str, values: list[float], unit: str) -> dict[str, Any]:
    return {
        "figure": name,
        "subject": "callspool",
        "value": statistics.median(values),
        "unit": unit,
        "min": min(values),
        "max": max(values),
        "runs": len(values),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }
