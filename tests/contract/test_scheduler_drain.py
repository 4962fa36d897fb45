"""A drain that is undone: jobs are taken and granted again, and no limit is exceeded by it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from callspool.domain.job import Place
from tests.fixtures.bench import LEASE, Bench, done, ids, next_leases, woken


@pytest.fixture
async def bench(valkey: str) -> AsyncIterator[Bench]:
    bench = Bench(valkey)
    await bench.producer.open()
    yield bench
    await bench.close()


@pytest.mark.rule("I1")
async def test_undoing_a_drain_after_a_loss_ends_no_wait_for_workers_that_live(bench: Bench) -> None:
    await bench.limits("acme", slots=1, limit=1)
    await bench.submit("acme", "j0")
    alive, other = bench.worker("alive", LEASE), bench.worker("other", LEASE)
    (held,) = (await alive.turn([], 1)).leases
    await bench.client.flushall()
    await bench.producer.reopen()
    await bench.limits("acme", slots=1, limit=1)
    await bench.submit("acme", "j0", "j1")  # as the store has them
    assert (await other.turn([], 9)).leases == ()
    while await bench.producer.place("j0") is not Place.RUNNING:  # the heartbeat of the one that lives says so
        assert (await other.turn([], 9)).leases == ()
        await other.wait(LEASE / 10)
    await alive.turn([done(held)], 0)
    assert ids(await next_leases(other)) == ["j1"]


async def test_undoing_a_drain_wakes_workers_for_what_still_waits(bench: Bench) -> None:
    await bench.limits("acme")
    await bench.submit("acme", "j0")
    await bench.functions.call("close")  # and the one who drains dies
    worker = bench.worker()
    assert (await worker.turn([], 1)).leases == ()
    assert not await worker.wait(timedelta(milliseconds=20))
    await bench.producer.reopen()
    await woken(worker)
    assert ids((await worker.turn([], 1)).leases) == ["j0"]


async def test_a_drain_that_is_undone_has_its_jobs_put_in_again(bench: Bench) -> None:
    before = await bench.producer.epoch()
    await bench.producer.drain(["acme"])
    assert await bench.producer.epoch() == before  # there is nothing to put in yet
    await bench.producer.reopen()
    opened = await bench.producer.epoch()
    assert opened != before
    assert await bench.producer.epoch() == opened
    await bench.producer.open()  # as `up` does at its start
    await bench.producer.drain(["acme"])
    between = await bench.producer.epoch()
    await bench.producer.reopen()
    assert await bench.producer.epoch() not in {before, opened, between}
