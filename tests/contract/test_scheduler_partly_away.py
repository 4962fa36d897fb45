"""Some of a worker's shards do not answer, the others do: real nodes of a real cluster."""

import contextlib
from collections.abc import AsyncIterator

import pytest
import valkey

from callspool.domain.job import Job, Lease, Place, Settlement
from callspool.scheduler.connection import shard_of
from callspool.scheduler.consumer import ValkeyConsumer
from tests.fixtures.bench import SOON, Bench, done, next_leases
from tests.fixtures.cluster import Cluster

SHARDS = 3
POOLS = [next(f"p{n}" for n in range(100) if shard_of(f"p{n}", SHARDS) == shard) for shard in range(SHARDS)]
"""One in each shard; each shard lies on another node."""


@pytest.fixture
async def bench(cluster: Cluster) -> AsyncIterator[Bench]:
    for port in cluster.ports:
        with contextlib.closing(valkey.Valkey(port=port)) as node:
            node.flushall()
    bench = Bench(cluster.url, shards=SHARDS)
    assert len({cluster.port_of(shard) for shard in bench.names}) == SHARDS
    await bench.producer.open()
    for pool in POOLS:
        await bench.producer.set_pool(pool, limit=100, paused=False)
        await bench.producer.set_tenant(f"of-{pool}", slots=100, weight=1, paused=False)
    yield bench
    await bench.close()


async def submit(bench: Bench, pool: str, count: int) -> None:
    for n in range(count):
        await bench.producer.submit(Job(f"{pool}-{n}", pool, f"of-{pool}"))


async def claim(worker: ValkeyConsumer, count: int) -> list[Lease]:
    """Take turns until so many are held."""
    held: list[Lease] = []
    while len(held) < count:
        held += await next_leases(worker, count - len(held))
    return held


@pytest.mark.rule("S7", "I5")
@pytest.mark.parametrize("away", range(SHARDS))
async def test_what_ended_in_a_shard_that_is_away_is_settled_once_it_is_back(
    bench: Bench, cluster: Cluster, away: int
) -> None:
    """The caller drops what it handed over to a turn that returned, whatever shard it was for."""
    there = (away + 1) % SHARDS
    worker = bench.worker(lease=SOON)
    await submit(bench, POOLS[away], 3)
    gone = await claim(worker, 3)
    await submit(bench, POOLS[there], 10)
    good = await claim(worker, 3)

    with cluster.refusing(cluster.port_of(bench.names[away])):
        for ends, other in zip(gone, good, strict=True):
            settled: list[Settlement] = [done(ends), done(other)]
            assert (await worker.turn(settled, 1)).leases  # the others go on; it did not raise
    await worker.turn([], 0)
    assert [await bench.producer.place(lease.job.id) for lease in gone] == [Place.UNKNOWN] * 3
