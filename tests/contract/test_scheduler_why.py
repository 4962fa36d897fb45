"""What is said of a job that does not run: what is so, by the figures in force, and what ends it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from callspool.domain.job import Place, Signal
from callspool.domain.obstacle import ObstacleCode
from tests.fixtures.bench import Bench, deferred

DRAINED = (
    "The scheduler is drained and grants nothing until it is started with another number of shards, "
    "or 'callspool drain --undo' opens it again"
)


@pytest.fixture
async def bench(valkey: str) -> AsyncIterator[Bench]:
    bench = Bench(valkey)
    await bench.producer.open()
    yield bench
    await bench.close()


async def said(bench: Bench, job_id: str) -> str:
    return (await bench.producer.why(job_id)).sentence()


async def test_limits_of_0_are_told_from_those_that_are_not_known(bench: Bench) -> None:
    set_tenant, set_pool = bench.producer.set_tenant, bench.producer.set_pool
    await bench.submit("acme", "j0")
    unknown = "The limits of {} are not known to the scheduler yet; it is 1st in its line."
    assert await said(bench, "j0") == unknown.format("tenant acme")
    await set_tenant("acme", slots=0, weight=1, paused=False)
    none = "Tenant acme has 0 slots and waits until an operator gives it some; it is 1st in its line."
    assert await said(bench, "j0") == none
    await set_tenant("acme", slots=1, weight=1, paused=False)
    assert await said(bench, "j0") == unknown.format("account main")
    await set_pool("main", limit=0, paused=False)
    none = "Account main has a limit of 0 and waits until an operator raises it; it is 1st in its line."
    for for_operator in (True, False):
        assert (await bench.producer.why("j0")).sentence(for_operator=for_operator) == none
    await set_pool("main", limit=1, paused=False)
    assert await said(bench, "j0") == "It waits for a worker with room; it is 1st in its line."


@pytest.mark.parametrize("shards", [1, 3])
async def test_a_drained_scheduler_says_so_of_what_it_dropped_until_it_is_opened_again(
    shards: int, valkey: str
) -> None:
    bench = Bench(valkey, shards=shards)
    await bench.producer.open()
    await bench.submit("acme", "j0")
    await bench.producer.drain(["acme"])
    why = await bench.producer.why("j0")
    assert (why.place, why.sentence()) == (Place.UNKNOWN, f"{DRAINED}.")
    await bench.producer.reopen()
    obstacle = (await bench.producer.why("j0")).obstacle()
    assert obstacle is not None
    assert obstacle.code is ObstacleCode.ON_ITS_WAY
    await bench.close()


async def test_what_waits_in_the_moment_of_a_drain_is_told_the_same(bench: Bench) -> None:
    await bench.limits("acme")
    await bench.submit("acme", "j0")
    await bench.functions.call("close")
    assert await said(bench, "j0") == f"{DRAINED}; it is 1st in its line."


async def test_an_account_that_was_told_to_slow_down_says_until_when(bench: Bench) -> None:
    await bench.limits("acme", slots=100, limit=8)
    await bench.submit("acme", *(f"j{n}" for n in range(12)))
    worker = bench.worker()
    first, *others = (await worker.turn([], 100)).leases
    assert len(others) == 7
    await worker.turn([deferred(first, 60_000, 60_000, Signal.THROTTLED)], 0)
    until = datetime.fromtimestamp((await bench.producer.why("j8")).paused_until_ms / 1000, UTC)
    rests = f"Account main is paused until {until:%H:%M:%S} UTC after the provider asked to slow down"
    assert await said(bench, "j8") == f"{rests}; it is 1st in its line."


async def test_an_account_that_was_slowed_says_from_what_and_a_tenant_learns_no_figures(bench: Bench) -> None:
    await bench.limits("acme", slots=100, limit=8)
    await bench.submit("acme", *(f"j{n}" for n in range(12)))
    worker = bench.worker()
    first, *_ = (await worker.turn([], 100)).leases
    await worker.turn([deferred(first, 60_000, 0, Signal.THROTTLED)], 0)
    slowed = await bench.producer.why("j9")
    assert slowed.sentence() == ("7 of 4 (lowered from 8) downloads of account main are busy; it is 2nd in its line.")
    assert slowed.sentence(for_operator=False) == (
        "Account main is busy with as many downloads as it may have; it is 2nd in its line."
    )
