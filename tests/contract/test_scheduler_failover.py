"""A replica takes over, with or without the last writes, and the first server comes back: real servers, a real link."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from callspool.domain.job import Place
from callspool.scheduler.consumer import ValkeyConsumer
from tests.fixtures.bench import LEASE, Bench, done, ids, next_leases
from tests.fixtures.nodes import Node


@asynccontextmanager
async def bench_on(node: Node) -> AsyncIterator[Bench]:
    bench = Bench(node.url)
    yield bench
    await bench.close()


@pytest.fixture
async def bench(pair: tuple[Node, Node]) -> AsyncIterator[Bench]:
    async with bench_on(pair[0]) as bench:
        await bench.producer.open()
        yield bench


def moved(worker: ValkeyConsumer, node: Node) -> None:
    """Let its heartbeats go to another server, as an address that leads to the leader does."""
    worker._shards[0].heartbeat._url = node.url
    worker._shards[0].heartbeat._client = None


@pytest.mark.rule("I1", "I4")
async def test_a_stale_replica_that_takes_over_grants_nothing_that_still_runs(
    bench: Bench, pair: tuple[Node, Node]
) -> None:
    first, second = pair
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    await asyncio.to_thread(second.wait_for, first)
    second.cut_off()
    alive = bench.worker("alive", LEASE)
    (held,) = (await alive.turn([], 1)).leases  # the replica does not hear of this
    first.kill()
    second.lead()
    async with bench_on(second) as after:
        other = after.worker("other", LEASE)
        assert await after.producer.place("j0") is Place.WAITING
        assert (await other.turn([], 9)).leases == ()
        moved(alive, second)
        while await after.producer.place("j0") is not Place.RUNNING:
            assert (await other.turn([], 9)).leases == ()
            await other.wait(LEASE / 10)
        # The wait is over when its lease was registered and renewed; the one slot stays taken.
        for _ in range(20):
            assert (await other.turn([], 9)).leases == ()
            await other.wait(LEASE / 10)
        await asyncio.to_thread(alive._shards[0].heartbeat.close)
        assert ids(await next_leases(other)) == ["j0"]  # only now that nobody renews it
        assert held.job.id == "j0"


@pytest.mark.rule("I1")
async def test_a_server_that_takes_back_what_it_gave_up_begins_anew(bench: Bench, pair: tuple[Node, Node]) -> None:
    """By partial copies only: its process goes on, and so does what it remembers."""
    first, second = pair
    await bench.limits("acme", slots=3)
    await bench.submit("acme", "j0", "j1", "j2")
    assert ids((await bench.worker("w1").turn([], 1)).leases) == ["j0"]
    await asyncio.to_thread(second.wait_for, first)
    before = await bench.producer.epoch()
    second.lead()
    await asyncio.to_thread(first.follow, second)
    async with bench_on(second) as there:
        assert await there.producer.epoch() != before
        await there.producer.open()
        assert ids((await there.worker("w2", lease=timedelta(seconds=30)).turn([], 1)).leases) == ["j1"]
        await asyncio.to_thread(first.wait_for, second)
        first.lead()
    assert (await bench.worker("w3").turn([], 9)).leases == ()
    assert (await bench.producer.why("j2")).sentence().startswith("The scheduler was restarted and grants nothing")


@pytest.mark.rule("I1")
async def test_a_server_that_took_over_older_data_begins_anew_though_nobody_called_the_other(
    bench: Bench, pair: tuple[Node, Node]
) -> None:
    first, second = pair
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    await asyncio.to_thread(second.wait_for, first)
    second.cut_off()
    alive = bench.worker("alive", LEASE)
    (held,) = (await alive.turn([], 1)).leases
    second.lead()
    await asyncio.to_thread(first.follow, second)  # a full copy: its grant is gone
    first.lead()
    other = bench.worker("other", LEASE)
    assert (await other.turn([], 9)).leases == ()
    while await bench.producer.place("j0") is not Place.RUNNING:  # its worker says so
        assert (await other.turn([], 9)).leases == ()
        await other.wait(LEASE / 10)
    await alive.turn([done(held)], 0)
    assert ids(await next_leases(other)) == ["j1"]
