"""Several shards: pools spread over them, a worker serves all, their number changes by draining."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from callspool.domain.job import Job, Place
from callspool.scheduler.connection import shard_of
from tests.fixtures.bench import Bench, done, heard, ids, woken

POOLS = [f"account-{n}" for n in range(12)]


@pytest.fixture
async def bench(valkey: str) -> AsyncIterator[Bench]:
    bench = Bench(valkey, shards=3)
    await bench.producer.open()
    for n, pool in enumerate(POOLS):
        await bench.producer.set_pool(pool, limit=2, paused=False)
        await bench.producer.set_tenant(f"tenant-{n}", slots=2, weight=1, paused=False)
    yield bench
    await bench.close()


def jobs(each: int) -> list[tuple[Job, None]]:
    return [(Job(f"{pool}-{n}", pool, f"tenant-{POOLS.index(pool)}"), None) for n in range(each) for pool in POOLS]


async def test_pools_spread_over_the_shards() -> None:
    assert {shard_of(pool, 3) for pool in POOLS} == {0, 1, 2}


async def test_worker_serves_all_shards_and_no_limit_is_exceeded(bench: Bench) -> None:
    assert await bench.producer.submit_many(jobs(3)) == 36
    assert await bench.producer.submit_many(jobs(3)) == 0
    worker, finished = bench.worker(), set()
    leases = await heard(worker, 100)
    assert len(leases) == 24
    while leases:
        finished |= {lease.job.id for lease in leases}
        leases = await heard(worker, 100, *[done(lease) for lease in leases])
    assert len(finished) == 36


async def test_room_is_one_for_all_shards(bench: Bench) -> None:
    await bench.producer.submit_many(jobs(2))
    worker = bench.worker()
    shards = set()
    for _ in range(3):
        turn = await worker.turn([], 4)
        assert len(turn.leases) == 4
        shards |= {shard_of(lease.job.pool, 3) for lease in turn.leases}
    assert shards == {0, 1, 2}  # each turn begins with another


async def test_a_job_is_found_whatever_its_shard(bench: Bench) -> None:
    await bench.producer.submit_many(jobs(1))
    for pool in POOLS:
        assert await bench.producer.place(f"{pool}-0") is Place.WAITING
        assert (await bench.producer.why(f"{pool}-0")).pool == pool
        assert await bench.producer.cancel(f"{pool}-0") is Place.WAITING
    assert await bench.producer.cancel(f"{POOLS[0]}-0") is Place.UNKNOWN
    assert await heard(bench.worker(), 100) == []


async def test_submit_to_any_shard_wakes_a_worker_that_waits(bench: Bench) -> None:
    worker = bench.worker()
    for pool in POOLS[:4]:
        await heard(worker, 1)
        assert not await worker.wait(timedelta(milliseconds=20))
        await bench.producer.submit(Job("j", pool, f"tenant-{POOLS.index(pool)}"))
        await woken(worker)
        (lease,) = await heard(worker, 1)
        await heard(worker, 0, done(lease))


async def test_load_is_that_of_all_shards(bench: Bench) -> None:
    await bench.producer.set_tenant("wide", slots=2, weight=1, paused=False)
    for n, pool in enumerate(POOLS):
        await bench.producer.submit(Job(f"w{n}", pool, "wide"))
    await heard(bench.worker(), 1)
    (load,) = await bench.producer.load(["wide"])
    assert (load.slots, load.running, load.waiting) == (2, 1, 11)


async def test_number_of_shards_changes_by_draining(bench: Bench, valkey: str) -> None:
    await bench.producer.submit_many(jobs(3))
    await bench.producer.submit(Job("late", POOLS[0], "tenant-0"), delay=timedelta(hours=1))
    worker = bench.worker()
    held = await heard(worker, 5)
    tenants = [f"tenant-{n}" for n in range(12)]
    assert await bench.producer.drain(tenants) == 5
    # Nothing is granted or taken any more; what runs is settled as ever.
    assert not (await bench.producer.submit(Job("new", POOLS[0], "tenant-0"))).accepted
    assert await heard(worker, 100, *[done(lease) for lease in held]) == []
    assert await bench.producer.drain(tenants) == 0
    assert await bench.producer.place("late") is Place.UNKNOWN

    wider = Bench(valkey, shards=5)
    await wider.producer.open()
    await wider.producer.set_pool(POOLS[0], limit=1, paused=False)
    await wider.producer.set_tenant("tenant-0", slots=1, weight=1, paused=False)
    await wider.producer.submit_many([one for one in jobs(1) if one[0].pool == POOLS[0]])
    assert ids(await heard(wider.worker(), 9)) == [f"{POOLS[0]}-0"]
    await wider.close()

    await bench.producer.reopen()  # the way back
    assert (await bench.producer.submit(Job("new", POOLS[0], "tenant-0"))).accepted
