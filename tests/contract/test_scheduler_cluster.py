"""Shards on a real Valkey Cluster of three nodes: spread, served by one worker, kept alive, told of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import valkey

from callspool.domain.errors import Misconfigured, OtherLayout
from callspool.domain.job import Job, Place, Stop
from callspool.scheduler.bulletin import ValkeyBulletin
from callspool.scheduler.connection import Functions, shard_of
from tests.fixtures.bench import LEASE, SOON, Bench, done, heard, ids, next_leases, woken
from tests.fixtures.cluster import Cluster

SHARDS = 6
POOLS = [f"account-{n}" for n in range(24)]


@pytest.fixture
async def bench(cluster: Cluster) -> AsyncIterator[Bench]:
    for port in cluster.ports:
        with contextlib.closing(valkey.Valkey(port=port)) as node:
            node.flushall()
            node.execute_command("FUNCTION", "FLUSH")
    bench = Bench(cluster.url, shards=SHARDS)
    await bench.producer.open()
    for pool in POOLS:
        await bench.producer.set_pool(pool, limit=2, paused=False)
    for n in range(len(POOLS)):
        await bench.producer.set_tenant(f"t{n}", slots=1, weight=1, paused=False)
    yield bench
    await bench.close()


def jobs(each: int) -> list[tuple[Job, None]]:
    return [(Job(f"{pool}-{n}", pool, f"t{at}"), None) for n in range(each) for at, pool in enumerate(POOLS)]


async def test_shards_spread_over_all_nodes(bench: Bench, cluster: Cluster) -> None:
    assert {shard_of(pool, SHARDS) for pool in POOLS} == set(range(SHARDS))
    await bench.producer.submit_many(jobs(1))
    assert all(cluster.keys_of(port) > 0 for port in cluster.ports)


@pytest.mark.rule("I1", "I5")
async def test_one_worker_drains_all_shards_within_the_limits(bench: Bench) -> None:
    assert await bench.producer.submit_many(jobs(3)) == 72
    worker, finished = bench.worker(lease=SOON), set()
    leases = await heard(worker, 100)
    while leases:
        assert len({lease.job.tenant for lease in leases}) == len(leases)
        finished |= {lease.job.id for lease in leases}
        leases = await heard(worker, 100, *[done(lease) for lease in leases])
    assert len(finished) == 72


async def test_submit_on_any_node_wakes_a_worker_that_waits(bench: Bench) -> None:
    worker = bench.worker()
    for at in (0, 5, 11, 17):
        await heard(worker, 1)
        await bench.producer.submit(Job(f"j{at}", POOLS[at], f"t{at}"))
        await woken(worker)
        (lease,) = await heard(worker, 1)
        await heard(worker, 0, done(lease))


@pytest.mark.rule("S4", "S7", "I5")
async def test_leases_are_kept_alive_on_every_node_and_a_dead_workers_run_out(bench: Bench) -> None:
    await bench.producer.submit_many(jobs(1))
    # Twice as long as usual: a machine that stands still for a second ends what has no beat meanwhile.
    alive, dead, other = (bench.worker(name, 2 * LEASE) for name in ("alive", "dead", "other"))
    kept = await heard(alive, 12)
    lost = await heard(dead, 12)
    assert (len(kept), len(lost)) == (12, 12)
    await dead.close()
    again: list[str] = []
    while len(again) < 12:
        again += ids(await next_leases(other, 24))
    assert sorted(again) == sorted(ids(lost))
    assert all([await bench.producer.place(job_id) is Place.RUNNING for job_id in ids(kept)])


async def test_cancellation_reaches_the_worker_whatever_the_node(bench: Bench) -> None:
    await bench.producer.submit_many(jobs(1))
    worker = bench.worker(lease=LEASE)
    told: set[tuple[str, Stop]] = set()
    worker.watch(lambda lease, why: told.add((lease.job.id, why)))
    leases = await heard(worker, 100)
    for lease in leases[:6]:
        await bench.producer.cancel(lease.job.id)
        async with asyncio.timeout(SOON.total_seconds()):
            while (lease.job.id, Stop.CANCELLED) not in told:
                await worker.wait(LEASE)


async def test_a_bell_rung_on_one_node_is_heard_on_another(bench: Bench, cluster: Cluster) -> None:
    elsewhere = Functions(cluster.url.replace(str(cluster.ports[0]), str(cluster.ports[2])), bench.names[0])
    heard = ValkeyBulletin(elsewhere).listen()
    await anext(heard)  # subscribed
    ringing = ValkeyBulletin(bench.functions)
    begun = asyncio.get_running_loop().time()
    next_one = asyncio.ensure_future(anext(heard))
    while not next_one.done():
        await ringing.ring()
        await asyncio.wait([next_one], timeout=0.1)
    assert (
        asyncio.get_running_loop().time() - begun < timedelta(seconds=4).total_seconds()
    )  # not the look that comes anyway
    await heard.aclose()
    await elsewhere.close()


@pytest.mark.rule("I1")
async def test_another_number_takes_over_only_where_the_shards_on_every_node_are_empty(
    bench: Bench, cluster: Cluster
) -> None:
    tenants = [f"t{n}" for n in range(len(POOLS))]
    await bench.producer.join(tenants)
    four = Bench(cluster.url, shards=4, confirm_every_s=0)
    worker = bench.worker()
    await bench.producer.submit(Job("j", POOLS[7], "t7"))
    with pytest.raises(Misconfigured, match="works with 6"):
        await four.producer.join(tenants)
    (lease,) = await heard(worker, 9)
    with pytest.raises(Misconfigured, match=r"1 job\(s\) run"):
        await four.producer.join(tenants)
    await heard(worker, 0, done(lease))
    assert await bench.producer.drain(tenants) == 0
    await four.producer.join(tenants)
    await four.producer.open()
    await four.producer.set_pool(POOLS[7], limit=2, paused=False)
    await four.producer.set_tenant("t7", slots=1, weight=1, paused=False)
    await four.producer.submit(Job("j", POOLS[7], "t7"))
    assert ids(await heard(four.worker("four"), 9)) == ["j"]
    with pytest.raises(OtherLayout):
        await bench.producer.ping()
    await four.close()
