"""The server's clock jumps, forth and back, while leases are held: a real Valkey whose clock is set."""

from collections.abc import AsyncIterator
from datetime import timedelta
from time import monotonic

import pytest

from callspool.domain.job import Place
from tests.fixtures.bench import LEASE, Bench, done, ids, next_leases
from tests.fixtures.nodes import Clocked

TEN_MINUTES = 600


@pytest.fixture
async def bench(clocked: Clocked) -> AsyncIterator[Bench]:
    bench = Bench(clocked.url)
    await bench.producer.open()
    await bench.limits("acme", slots=1)
    yield bench
    await bench.close()


@pytest.mark.rule("I1", "I4", "S4")
@pytest.mark.parametrize("ahead_s", [TEN_MINUTES, -TEN_MINUTES, LEASE.total_seconds() * 0.9])
async def test_a_clock_that_jumps_frees_no_slot_of_a_worker_that_lives(
    bench: Bench, clocked: Clocked, ahead_s: float
) -> None:
    await bench.submit("acme", "j0", "j1")
    alive, other = bench.worker("alive", LEASE), bench.worker("other", LEASE)
    (held,) = (await alive.turn([], 1)).leases
    clocked.set_clock(ahead_s)
    until = monotonic() + 3 * LEASE.total_seconds()
    while monotonic() < until:
        assert (await other.turn([], 9)).leases == ()
        await other.wait(LEASE / 10)
    await alive.turn([done(held)], 0)
    assert ids(await next_leases(other)) == ["j1"]


@pytest.mark.rule("S7", "I5")
@pytest.mark.parametrize("ahead_s", [TEN_MINUTES, -TEN_MINUTES])
async def test_a_dead_workers_slot_comes_back_within_one_more_lease_after_a_jump(
    bench: Bench, clocked: Clocked, ahead_s: float
) -> None:
    await bench.submit("acme", "j0")
    dead = bench.worker("dead", LEASE)
    await dead.turn([], 1)
    await dead.close()
    clocked.set_clock(ahead_s)
    begun = monotonic()
    assert ids(await next_leases(bench.worker("alive", LEASE))) == ["j0"]
    assert monotonic() - begun < 2 * LEASE.total_seconds() + 1


@pytest.mark.rule("I5")
async def test_where_nobody_called_for_long_what_ran_out_comes_back_once_calls_are_regular_for_one_lease(
    bench: Bench, clocked: Clocked
) -> None:
    """Silence looks like a jump, and does so again in the wait after it."""
    lease = timedelta(seconds=1)
    await bench.submit("acme", "j0")
    dead = bench.worker("dead", lease)
    await dead.turn([], 1)
    await dead.close()
    begun, late = monotonic(), bench.worker("late", lease)
    clocked.set_clock(60)
    assert (await late.turn([], 1)).leases == ()
    clocked.set_clock(120)  # the next who calls comes as late
    assert (await late.turn([], 1)).leases == ()
    assert ids(await next_leases(late)) == ["j0"]
    assert monotonic() - begun < 5


@pytest.mark.rule("I1", "I8")
async def test_a_jump_in_the_wait_after_a_loss_does_not_end_it(bench: Bench, clocked: Clocked) -> None:
    """Whoever lives has not registered yet: that nothing is known to be held says nothing."""
    await bench.submit("acme", "j0", "j1")
    alive, other = bench.worker("alive", LEASE), bench.worker("other", LEASE)
    (held,) = (await alive.turn([], 1)).leases
    await bench.client.flushall()
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j1")
    epoch = await bench.producer.epoch()
    clocked.set_clock(TEN_MINUTES)
    assert (await other.turn([], 9)).leases == ()
    assert await bench.producer.epoch() == epoch  # the store need not fill it once more
    while await bench.producer.place("j0") is not Place.RUNNING:
        assert (await other.turn([], 9)).leases == ()
        await other.wait(LEASE / 10)
    await alive.turn([done(held)], 0)
    assert ids(await next_leases(other)) == ["j1"]


async def test_a_jump_with_nothing_held_delays_nothing(bench: Bench, clocked: Clocked) -> None:
    worker = bench.worker()
    await worker.turn([], 1)
    clocked.set_clock(TEN_MINUTES)
    await bench.submit("acme", "j0")
    assert ids((await worker.turn([], 1)).leases) == ["j0"]


@pytest.mark.rule("I1")
async def test_after_a_loss_the_longest_lease_in_use_is_waited_for(bench: Bench, clocked: Clocked) -> None:
    long, short = bench.worker("long", timedelta(seconds=6)), bench.worker("short", timedelta(seconds=1))
    await bench.submit("acme", "j0", "j1")
    (held,) = (await long.turn([], 1)).leases
    await short.turn([], 1)
    await bench.client.flushall()
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    begun = monotonic()
    while await bench.producer.place("j0") is not Place.RUNNING:  # it renews every two seconds
        assert (await short.turn([], 9)).leases == ()
        await short.wait(timedelta(seconds=0.1))
    assert monotonic() - begun < 4
    why = (await bench.producer.why("j1")).sentence()
    assert why.startswith("The scheduler was restarted and grants nothing until ")
    await long.turn([done(held)], 0)
    await bench.producer.open()
    assert ids(await next_leases(short)) == ["j1"]
