"""What do a submit, a claim, a settle and a queued job cost as tenants and jobs become many?

The time is the server's own (``INFO commandstats``), a call at a time: what the client and the machine's other users
do is not in it. The memory is the server's, less what its connections and its append-only file's buffer take.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Final

from valkey.asyncio import Valkey

from benchmarks.callspool_subject import consumer, job, open_pool, producer
from benchmarks.experiment import Bar, Context, Experiment
from benchmarks.machine import Noise
from benchmarks.result import OURS, Figure, figure
from benchmarks.servers import valkey
from benchmarks.workload import SLOTS
from callspool.domain.job import Settlement, Verdict
from callspool.domain.ports.scheduler import Consumer

_SIZES: Final = ((10, 10_000), (1_000, 100_000), (100_000, 1_000_000))
"""Tenants and queued jobs."""
_QUICK_SIZES: Final = ((10, 5_000), (1_000, 50_000))
_QUICK_NEEDED_S: Final = 8.0
_PART: Final = 10_000
_ROUNDS: Final = 40
_AT_ONCE: Final = 25
"""Claims a round: what 10 tenants have slots for."""


@dataclass(slots=True)
class _Grown:
    """What was measured at one size; microseconds of the server, one value a round."""

    tenants: int
    jobs: int
    submit_us: list[float] = field(default_factory=list)
    claim_us: list[float] = field(default_factory=list)
    settle_us: list[float] = field(default_factory=list)
    bytes_a_job: float = 0.0


class _Server:
    """Asks the server about itself."""

    def __init__(self, url: str) -> None:
        self._client: Any = Valkey.from_url(url)

    async def functions_us(self) -> float:
        """Return the microseconds that functions have taken so far."""
        told = (await self._client.info("commandstats")).get("cmdstat_fcall")
        return float(told["usec"]) if told else 0.0

    async def data_bytes(self) -> int:
        """Return the memory that the data takes."""
        told = await self._client.info("memory")
        return int(told["used_memory"]) - int(told["mem_aof_buffer"]) - int(told["mem_clients_normal"])

    async def close(self) -> None:
        await self._client.aclose()


async def _grow(url: str, tenants: int, jobs: int) -> _Grown:
    grown, server = _Grown(tenants, jobs), _Server(url)
    async with producer(url) as side:
        await open_pool(side, (f"tenant-{number}" for number in range(tenants)), SLOTS)
        empty = await server.data_bytes()
        for start in range(0, jobs, _PART):
            part = [(job(number, number % tenants), None) for number in range(start, min(start + _PART, jobs))]
            before = await server.functions_us()
            await side.submit_many(part)
            grown.submit_us.append((await server.functions_us() - before) / len(part))
        grown.bytes_a_job = (await server.data_bytes() - empty) / jobs
    async with consumer(url, lease_s=600) as side:
        for _ in range(_ROUNDS):
            await _round(side, server, grown)
    await server.close()
    return grown


async def _round(side: Consumer, server: _Server, grown: _Grown) -> None:
    begun = await server.functions_us()
    leases = [lease for _ in range(_AT_ONCE) for lease in (await side.turn((), 1)).leases]
    claimed = await server.functions_us()
    for lease in leases:
        await side.turn([Settlement(lease.job.id, lease.token, Verdict.DONE)], 0)
    grown.claim_us.append((claimed - begun) / len(leases))
    grown.settle_us.append((await server.functions_us() - claimed) / len(leases))


def _measure(context: Context) -> list[Figure]:
    if OURS not in {one.name for one in context.subjects(())}:
        return []
    if context.left_s() < _QUICK_NEEDED_S:
        return _figures([_Grown(0, 0)], Noise(), "no time was left for it in this quick run")
    noise, grown = Noise(), list[_Grown]()
    for tenants, jobs in _QUICK_SIZES if context.options.quick else _SIZES:
        context.tell(f"growth: {tenants:,} tenants, {jobs:,} jobs")
        with valkey() as server, noise.watched((server.pid,)):
            grown.append(asyncio.run(_grow(server.url, tenants, jobs)))
    return [replace(one, noise=str(noise)) for one in _figures(grown, noise)]


def _figures(grown: Sequence[_Grown], noise: Noise, note: str = "") -> list[Figure]:
    found = [
        figure(f"growth.{what}.{one.tenants}", OURS, getattr(one, f"{what}_us"), "us")
        for what in ("submit", "claim", "settle")
        for one in grown
        if one.jobs
    ]
    last, size = grown[-1], f"{grown[-1].tenants:,} tenants, {grown[-1].jobs:,} queued jobs"
    least_us = median(grown[0].claim_us) if grown[0].claim_us else 0.0
    ratios = [us / least_us for us in last.claim_us]
    ratio = figure("growth.claim_ratio", OURS, ratios, "x", note or size)
    a_job = figure("growth.bytes", OURS, [last.bytes_a_job] if last.jobs else [], "bytes", note or size)
    return [
        *found,
        Bar("a claim at the largest size at most 2 x one at the smallest", 2.0).judge(ratio, noise),
        Bar("at most 500 bytes a queued job", 500.0).judge(a_job, noise),
    ]


_TITLES: Final = {
    **{
        f"growth.{what}.{tenants}": f"growth: {what}, {tenants:,} tenants, {jobs:,} jobs, time of the server"
        for what in ("submit", "claim", "settle")
        for tenants, jobs in _SIZES
    },
    "growth.claim_ratio": "growth: claim at the largest size / at the smallest",
    "growth.bytes": "growth: memory a queued job",
}

GROWTH: Final = Experiment("growth", _TITLES, _measure)
