"""A submit that says that a person waits is as good as a promotion; one that does not takes nothing back."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from callspool.domain.job import Job, Lane, Place
from tests.fixtures.bench import Bench, deferred, done, ids

HOUR = timedelta(hours=1)


@pytest.fixture
async def bench(valkey: str) -> AsyncIterator[Bench]:
    bench = Bench(valkey)
    await bench.producer.open()
    await bench.limits("acme", slots=100)
    yield bench
    await bench.close()


def wanted(*ids: str) -> list[tuple[Job, timedelta | None]]:
    return [(Job(one, "main", "acme", Lane.INTERACTIVE), None) for one in ids]


async def order(bench: Bench) -> list[str]:
    """Return what is granted, in its order."""
    leases = (await bench.worker().turn([], 4)).leases  # bulk has every fifth
    assert all(lease.job.lane is (Lane.BULK if lease.job.id.startswith("b") else Lane.INTERACTIVE) for lease in leases)
    return ids(leases)


async def test_what_waits_as_bulk_goes_to_the_end_of_the_interactive_lane_once(bench: Bench) -> None:
    await bench.submit("acme", "b0", "i2", "i1", "b1")
    await bench.submit("acme", "i0", lane=Lane.INTERACTIVE)
    for _ in range(2):  # a repetition leaves it where it is
        assert await bench.producer.submit_many(wanted("i1")) == 0
        assert await bench.producer.submit_many(wanted("i2", "i1", "i0")) == 0
    assert await order(bench) == ["i0", "i1", "i2", "b0"]


async def test_the_only_one_of_its_line_is_granted_once_after_its_move(bench: Bench) -> None:
    worker = bench.worker()
    await bench.submit("acme", "i0")
    await bench.producer.submit_many(wanted("i0"))
    (lease,) = (await worker.turn([], 9)).leases
    assert lease.job.lane is Lane.INTERACTIVE
    assert (await worker.turn([done(lease)], 9)).leases == ()


async def test_a_submit_as_bulk_takes_nothing_back(bench: Bench) -> None:
    await bench.submit("acme", "b0")
    await bench.submit("acme", "i0", lane=Lane.INTERACTIVE)
    await bench.submit("acme", "i0", lane=Lane.BULK)
    assert await order(bench) == ["i0", "b0"]


async def test_what_is_put_off_comes_at_once_where_no_delay_is_left_and_else_stays(bench: Bench) -> None:
    for one in ("i0", "i1"):
        await bench.producer.submit(Job(one, "main", "acme"), delay=HOUR)
    await bench.submit("acme", "b0")
    (still, _), (due, _) = wanted("i0", "i1")
    await bench.producer.submit_many([(still, HOUR), (due, None)])
    assert await bench.producer.place("i0") is Place.DEFERRED
    assert await order(bench) == ["i1", "b0"]


async def test_what_runs_is_left_to_its_end(bench: Bench) -> None:
    worker = bench.worker()
    await bench.submit("acme", "i0")
    (lease,) = (await worker.turn([], 1)).leases
    await bench.producer.submit_many(wanted("i0"))
    await bench.submit("acme", "b0")
    assert (await worker.turn([deferred(lease, 0)], 0)).leases == ()
    await bench.producer.submit_many(wanted("i0"))
    assert await order(bench) == ["i0", "b0"]
