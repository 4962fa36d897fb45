"""Some of a worker's shards do not answer, the others do: real nodes of a real cluster."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from time import monotonic

import pytest

from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.job import Job, Lease, Place, Settlement, Stop
from callspool.scheduler.connection import Functions
from callspool.scheduler.consumer import ValkeyConsumer
from tests.fixtures.bench import LEASE, SOON, Bench, done, heard, ids, next_leases, one_in_each
from tests.fixtures.cluster import Cluster

SHARDS = 3
POOLS = one_in_each(SHARDS)
"""One in each shard; each shard lies on another node."""


@pytest.fixture
async def bench(cluster: Cluster) -> AsyncIterator[Bench]:
    cluster.empty()
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


@pytest.mark.rule("I5", "S7")
@pytest.mark.parametrize("hung", range(SHARDS))
async def test_while_a_node_hangs_the_others_go_on_and_what_it_owes_comes_late(
    bench: Bench, cluster: Cluster, hung: int
) -> None:
    """Also where it is the node of the layout, which is asked for meanwhile."""
    there = (hung + 1) % SHARDS
    lease = timedelta(seconds=6)
    worker = bench.worker(lease=lease)
    await worker.turn([], 9)  # it has asked all of them before
    await submit(bench, POOLS[hung], 3)
    gone = await claim(worker, 1)
    await submit(bench, POOLS[there], 500)
    ends: list[Settlement] = [done(one) for one in gone]
    last = 0.0
    with cluster.frozen(cluster.port_of(bench.names[hung])):
        begun = monotonic()
        # So long that the layout is asked for once more, and not so that it looks like a jump of the clock.
        while monotonic() - begun < 2.8:
            turn = await worker.turn(ends, 1)
            assert turn.unheard
            ends = [done(one) for one in turn.leases]
            last = monotonic() if ends else last
            await worker.wait(lease / 100)
    assert last - begun > 2
    seen: set[str] = set()
    async with asyncio.timeout(SOON.total_seconds()):
        while len(seen) < 3:
            turn = await worker.turn([], 100)
            seen |= {one.job.id for one in (*gone, *turn.leases) if one.job.pool == POOLS[hung]}
    await heard(worker, 0)
    assert [await bench.producer.place(one.job.id) for one in gone] == [Place.UNKNOWN]


@pytest.mark.rule("I1", "I5")
async def test_room_that_went_to_others_meanwhile_is_not_given_twice(bench: Bench, cluster: Cluster) -> None:
    hung, there = POOLS[0], POOLS[1]
    worker, other = bench.worker(lease=SOON), bench.worker("other", lease=SOON)
    await worker.turn([], 9)  # it has asked all of them before
    await submit(bench, hung, 2)
    with cluster.frozen(cluster.port_of(bench.names[0])):
        while not (await worker.turn([], 2)).unheard:
            pass  # until the one that hangs is asked
        await submit(bench, there, 2)
        assert {lease.job.pool for lease in await claim(worker, 2)} == {there}
    assert await heard(worker, 0) == []
    assert sorted(ids(tuple(await claim(other, 2)))) == [f"{hung}-0", f"{hung}-1"]


@pytest.mark.rule("I1", "I4")
async def test_a_lease_that_was_lost_before_it_was_told_of_is_given_to_nobody(bench: Bench, cluster: Cluster) -> None:
    port = cluster.port_of(bench.names[0])
    await submit(bench, POOLS[0], 1)
    worker, lost = bench.worker(lease=LEASE), asyncio.Event()
    worker.watch(lambda lease, why: lost.set() if why is Stop.LOST else None)
    with cluster.frozen(port):
        while not (await worker.turn([], 1)).unheard:
            pass
    async with asyncio.timeout(SOON.total_seconds()):
        while await bench.producer.place(f"{POOLS[0]}-0") is not Place.RUNNING:
            pass
        with cluster.frozen(port):
            await lost.wait()
            assert (await worker.turn([], 1)).leases == ()


@pytest.mark.rule("I5")
async def test_leases_on_other_nodes_outlive_a_layouts_node_that_hangs(bench: Bench, cluster: Cluster) -> None:
    port = cluster.port_of_key(bench.functions.keys.layout)
    there = next(at for at, name in enumerate(bench.names) if cluster.port_of(name) != port)
    await submit(bench, POOLS[there], 1)
    worker, told = bench.worker(lease=LEASE), list[Stop]()
    worker.watch(lambda lease, why: told.append(why))
    (held,) = await claim(worker, 1)
    with cluster.frozen(port):
        begun = monotonic()
        while monotonic() - begun < 2 * LEASE.total_seconds():
            await worker.wait(LEASE / 10)
    assert told == []
    assert await bench.producer.place(held.job.id) is Place.RUNNING


@pytest.mark.rule("I1", "I4")
async def test_who_holds_a_lease_is_told_when_the_only_node_it_knows_hangs(bench: Bench, cluster: Cluster) -> None:
    """A cluster of which no node can be reached is told with an error of another family."""
    await submit(bench, POOLS[1], 1)
    worker, lost = bench.worker(lease=LEASE), asyncio.Event()
    worker.watch(lambda lease, why: lost.set() if why is Stop.LOST else None)
    await claim(worker, 1)
    late = Functions(cluster.url, bench.names[1], timeout_s=1.0, confirm_every_s=None)
    with cluster.frozen(cluster.ports[0]):
        with pytest.raises(SchedulerUnavailable):
            await late.call("epoch")
        async with asyncio.timeout(SOON.total_seconds()):
            await lost.wait()
    await late.close()


async def test_a_call_to_a_node_that_hangs_takes_about_the_time_that_it_was_given(
    bench: Bench, cluster: Cluster
) -> None:
    functions = Functions(cluster.url, bench.names[1], timeout_s=1.0, confirm_every_s=None)
    await functions.call("epoch")
    with cluster.frozen(cluster.port_of(bench.names[1])):
        for _ in range(2):  # on a connection that stands, and on a new one
            begun = monotonic()
            with pytest.raises(SchedulerUnavailable):
                await functions.call("epoch")
            with pytest.raises(SchedulerUnavailable):
                await functions.has(functions.keys.epoch)
            assert monotonic() - begun < 4
    await functions.close()
