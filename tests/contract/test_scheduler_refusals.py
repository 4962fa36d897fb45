"""A Valkey that answers, and refuses: READONLY, out of memory, LOADING; and one that lost its last second."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import valkey

from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.job import Job, Place
from tests.fixtures.bench import LEASE, Bench, done, ids, next_leases
from tests.fixtures.nodes import Node


@pytest.fixture
async def bench(node: Node) -> AsyncIterator[Bench]:
    bench = Bench(node.url)
    await bench.producer.open()
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    yield bench
    await bench.close()


async def everything_is_unavailable(bench: Bench) -> None:
    """What takes a job, settles or claims says so, by the one error that means: try again later."""
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: bench.producer.submit(Job("new", "main", "acme")),
        lambda: bench.producer.promote(Job("new", "main", "acme")),
        lambda: bench.producer.cancel("j1"),
        lambda: bench.producer.set_pool("main", limit=1, paused=False),
        bench.producer.epoch,
        lambda: bench.worker("other").turn([], 9),
    ]
    for call in calls:
        with pytest.raises(SchedulerUnavailable):
            await call()


@pytest.mark.rule("F6")
async def test_a_replica_is_unavailable(pair: tuple[Node, Node]) -> None:
    first, second = pair
    bench = Bench(first.url)
    await bench.producer.open()
    await bench.limits("acme")
    await bench.submit("acme", "j0", "j1")
    await asyncio.to_thread(second.wait_for, first)
    behind = Bench(second.url)
    await everything_is_unavailable(behind)
    assert await behind.producer.place("j1") is Place.WAITING  # to look is allowed
    assert ids((await bench.worker().turn([], 9)).leases) == ["j0", "j1"]
    await behind.close()
    await bench.close()


@pytest.mark.rule("F6", "I8")
async def test_without_memory_nothing_is_taken_or_lost(bench: Bench, node: Node) -> None:
    worker = bench.worker()
    (lease,) = (await worker.turn([], 1)).leases
    with node.client() as client:
        client.config_set("maxmemory", "1mb")
        await everything_is_unavailable(bench)
        with pytest.raises(SchedulerUnavailable):
            await worker.turn([done(lease)], 1)
        client.config_set("maxmemory", "0")
    assert ids((await worker.turn([done(lease)], 1)).leases) == ["j1"]
    assert await bench.producer.place("j0") is Place.UNKNOWN


@pytest.mark.rule("F6", "I8")
async def test_while_it_reads_its_data_it_is_unavailable(bench: Bench, node: Node) -> None:
    worker = bench.worker(lease=LEASE)
    (lease,) = (await worker.turn([], 1)).leases
    with node.client() as client:
        pipe = client.pipeline(transaction=False)
        for n in range(100_000):
            pipe.set("ballast", n)
        pipe.execute()
    node.kill()
    node.start("--key-load-delay", "100", wait=False)  # microseconds for each command
    with node.client() as client:
        while not await is_loading(client):
            await asyncio.sleep(0.01)
        await everything_is_unavailable(bench)
        assert await is_loading(client)  # it was refused for that
    node.kill()
    node.start()
    await bench.producer.open()
    # Its lease ran out meanwhile: the job is tried again, and was not marked as anything else.
    assert ids((await worker.turn([done(lease)], 1)).leases) == ["j0"]


async def is_loading(client: valkey.Valkey) -> bool:
    try:
        return bool((await asyncio.to_thread(client.info, "persistence"))["loading"])
    except valkey.ConnectionError:
        return False


@pytest.mark.rule("I1", "I8")
async def test_a_power_loss_takes_the_last_second_and_no_slot(bench: Bench, node: Node) -> None:
    """The newest append-only file ends where it was last written to disk, in the middle of a later command."""
    alive, other = bench.worker("alive", LEASE), bench.worker("other", LEASE)
    with node.client() as client:
        client.execute_command("WAITAOF", 1, 0, 5000)
    (newest,) = Path(node.folder, "appendonlydir").glob("*.incr.aof")
    on_disk = newest.stat().st_size
    (held,) = (await alive.turn([], 1)).leases
    node.kill()
    assert newest.stat().st_size > on_disk + 5
    with newest.open("r+b") as file:
        file.truncate(on_disk + 5)
    node.start()
    assert await bench.producer.place("j0") is Place.WAITING  # the grant is gone
    assert (await other.turn([], 9)).leases == ()
    while await bench.producer.place("j0") is not Place.RUNNING:  # its worker says so
        assert (await other.turn([], 9)).leases == ()
        await other.wait(LEASE / 10)
    await alive.turn([done(held)], 0)
    assert ids(await next_leases(other)) == ["j1"]
