"""How a pool keeps to its provider's pace: the limit in force, the circuit, the retry budget."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from callspool.domain.job import Circuit, Job, Lane, Lease, Signal
from tests.fixtures.bench import Bench, deferred, done, ids, next_leases


@pytest.fixture
async def bench(valkey: str) -> AsyncIterator[Bench]:
    bench = Bench(valkey)
    await bench.producer.open()
    await bench.limits("acme", slots=1000, limit=16)
    await bench.submit("acme", *(f"j{n}" for n in range(400)))
    yield bench
    await bench.close()


async def limit_in_force(bench: Bench) -> int:
    return (await bench.producer.why("j399")).limit


async def resume(bench: Bench) -> None:
    """What an operator does: pause and go on."""
    await bench.producer.set_pool("main", limit=16, paused=True)
    await bench.producer.set_pool("main", limit=16, paused=False)


async def test_slow_down_halves_the_limit_once_for_all_that_were_granted_before(bench: Bench) -> None:
    worker = bench.worker()
    leases = (await worker.turn([], 100)).leases
    assert len(leases) == 16
    await worker.turn([deferred(lease, 60_000, signal=Signal.THROTTLED) for lease in leases[:3]], 0)
    assert await limit_in_force(bench) == 8
    # 13 of the old ones still run: nothing is granted until fewer than 8 do.
    turn = await worker.turn([done(lease, Signal.OK) for lease in leases[3:8]], 100)
    assert turn.leases == ()
    turn = await worker.turn([done(lease, Signal.OK) for lease in leases[8:]], 100)
    assert 8 <= len(turn.leases) <= 10


async def test_limit_in_force_grows_back_by_one_for_each_limits_worth_of_good_jobs(bench: Bench) -> None:
    worker = bench.worker()
    leases = list((await worker.turn([], 100)).leases)
    leases = list((await worker.turn([deferred(leases.pop(), 60_000, signal=Signal.THROTTLED)], 0)).leases) + leases
    before = await limit_in_force(bench)
    seen = {before}
    for _ in range(200):
        turn = await worker.turn([done(lease, Signal.OK) for lease in leases[:1]], 100)
        leases = [*leases[1:], *turn.leases]
        seen.add(await limit_in_force(bench))
        if max(seen) == 16:
            break
    assert seen == set(range(before, 17))  # each step on the way, and never above what was set


async def test_figures_of_a_pool_say_what_keeps_its_jobs_back(bench: Bench) -> None:
    async def figures() -> tuple[object, ...]:
        (load,) = await bench.producer.pool_loads(["main"], ["acme", "nobody"])
        return load.limit, load.set_limit, load.running, load.waiting, load.paused, load.circuit

    worker = bench.worker()
    leases = (await worker.turn([], 6)).leases
    assert await figures() == (16, 16, 6, 394, False, Circuit.CLOSED)
    await worker.turn([deferred(leases[0], 60_000, 60_000, signal=Signal.REFUSED)], 0)
    (load,) = await bench.producer.pool_loads(["main"], ["acme"])
    assert (load.circuit, load.cause, load.retries, load.limit) == (Circuit.OPEN, "refused", 20, 1)
    assert 0 < load.paused_until_ms - load.now_ms <= 60_000
    await resume(bench)
    assert await figures() == (16, 16, 5, 394, False, Circuit.CLOSED)
    (lease,) = (await worker.turn([], 1)).leases
    await worker.turn([deferred(lease, 60_000, signal=Signal.THROTTLED)], 0)
    assert await figures() == (8, 16, 5, 393, False, Circuit.CLOSED)
    await bench.producer.set_pool("main", limit=16, paused=True)
    assert (await figures())[-2:] == (True, Circuit.CLOSED)


async def test_figures_of_pools_come_from_their_shards_in_the_order_asked(valkey: str) -> None:
    bench = Bench(valkey, shards=3)
    names = [f"pool-{n}" for n in range(6)]
    for number, name in enumerate(names):
        await bench.producer.set_pool(name, limit=number + 1, paused=False)
    loads = await bench.producer.pool_loads([*names, "unknown"], ["acme"])
    await bench.close()
    assert [(load.pool, load.set_limit) for load in loads] == [(name, n + 1) for n, name in enumerate(names)] + [
        ("unknown", 0)
    ]


async def test_a_pools_oldest_wait_is_that_of_its_first_job_whoevers_and_in_whichever_lane(bench: Bench) -> None:
    async def oldest(*tenants: str) -> tuple[int, ...]:
        loads = await bench.producer.pool_loads(["main", "other", "empty"], tenants)
        return tuple(load.oldest_wait_ms // 1000 for load in loads)

    async def came(seconds_ago: int, job_id: str) -> None:
        (load,) = await bench.producer.pool_loads(["main"], [])
        since = load.now_ms - seconds_ago * 1000
        await bench.client.hset(f"{bench.functions.keys.prefix}job:{job_id}", "since_ms", since)

    await bench.producer.submit(Job("b", "main", "bravo"))
    await bench.producer.submit(Job("o", "other", "bravo"))
    await bench.producer.submit(Job("late", "main", "bravo", Lane.INTERACTIVE), delay=timedelta(hours=1))
    await bench.producer.submit(Job("i", "main", "bravo", Lane.INTERACTIVE))
    for seconds, job_id in ((7, "j0"), (20, "b"), (3, "o"), (40, "i"), (90, "late")):
        await came(seconds, job_id)
    everybody = ("acme", *(f"t{n}" for n in range(400)), "bravo")  # asked for in parts
    assert await oldest(*everybody) == (40, 3, 0)  # what is put off does not wait
    assert await oldest("acme") == (7, 0, 0)
    await bench.producer.cancel("i")
    assert await oldest("acme", "bravo") == (20, 3, 0)
    await bench.producer.set_tenant("bravo", slots=3, weight=1, paused=False)
    await bench.producer.set_pool("other", limit=1, paused=False)
    assert {"b", "o"} <= set(ids((await bench.worker().turn([], 4)).leases))
    assert (await oldest("bravo"))[:2] == (0, 0)  # what runs neither


async def test_slow_answers_shrink_the_limit(bench: Bench) -> None:
    worker = bench.worker()
    leases = (await worker.turn([], 100)).leases
    await worker.turn([done(leases[0], Signal.OK, latency_ms=50)], 0)
    await worker.turn([done(leases[1], Signal.OK, latency_ms=5000)], 0)
    assert await limit_in_force(bench) == 14


async def test_slow_answers_shrink_the_limit_down_to_one_and_quick_ones_let_it_grow_to_what_was_set(
    bench: Bench,
) -> None:
    worker, pool = bench.worker(), f"{bench.functions.keys.prefix}pool:main"

    async def answer(latency_ms: int) -> int:
        await bench.client.hset(pool, "changed_ms", 1)  # more than a second passes
        (lease,) = await next_leases(worker, 1)
        await worker.turn([done(lease, Signal.OK, latency_ms=latency_ms)], 0)
        return await limit_in_force(bench)

    assert await answer(50) == 16
    down = [await answer(5000) for _ in range(40)]
    assert down == sorted(down, reverse=True)
    assert (down[0], down[-1]) == (14, 1)
    up = [await answer(60) for _ in range(140)]
    assert up == sorted(up)
    assert set(up) == set(range(2, 17))


async def test_slow_answers_shrink_the_limit_once_a_second(bench: Bench) -> None:
    worker = bench.worker()
    leases = (await worker.turn([], 8)).leases
    await worker.turn([done(leases[0], Signal.OK, latency_ms=50)], 0)
    await worker.turn([done(lease, Signal.OK, latency_ms=5000) for lease in leases[1:]], 0)
    assert await limit_in_force(bench) == 14


async def test_good_jobs_of_before_a_slow_down_do_not_let_the_limit_grow(bench: Bench) -> None:
    worker = bench.worker()
    leases = (await worker.turn([], 100)).leases
    await worker.turn([deferred(leases[0], 60_000, signal=Signal.THROTTLED)], 0)
    await worker.turn([done(lease, Signal.OK) for lease in leases[1:]], 0)
    (load,) = await bench.producer.pool_loads(["main"], [])
    assert load.limit == 8
    window = await bench.client.hget(f"{bench.functions.keys.prefix}pool:main", "window")
    assert float(window) == 8


async def test_limit_never_falls_below_one(bench: Bench) -> None:
    worker = bench.worker()
    for _ in range(8):
        (lease, *_) = await next_leases(worker, 1)
        await worker.turn([deferred(lease, 60_000, signal=Signal.THROTTLED)], 0)
    assert await limit_in_force(bench) == 1
    assert len((await worker.turn([], 100)).leases) == 1


async def fail(bench: Bench, leases: tuple[Lease, ...]) -> None:
    await bench.worker("failing").turn([deferred(lease, 1, signal=Signal.FAILED) for lease in leases], 0)


async def test_failures_in_a_row_open_the_circuit(bench: Bench) -> None:
    worker = bench.worker()
    leases = (await worker.turn([], 100)).leases
    await fail(bench, leases[:4])
    assert len((await worker.turn([], 1)).leases) == 1
    await fail(bench, leases[4:5])
    turn = await worker.turn([], 100)
    assert turn.leases == ()
    why = await bench.producer.why("j399")
    assert 4_000 < why.paused_until_ms - why.now_ms <= 5_000
    assert " is paused until " in why.sentence()
    assert " after failures of the provider; it is " in why.sentence()


async def test_a_good_job_between_failures_keeps_the_circuit_closed(bench: Bench) -> None:
    worker = bench.worker()
    leases = (await worker.turn([], 100)).leases
    await fail(bench, leases[:4])
    await worker.turn([done(leases[4], Signal.OK)], 0)
    await fail(bench, leases[5:9])
    assert (await worker.turn([], 4)).leases != ()


async def test_after_refused_credentials_one_job_alone_tries_and_its_end_decides(bench: Bench) -> None:
    worker = bench.worker()
    leases = (await worker.turn([], 100)).leases
    # All 16 were refused; those after the first say nothing new.
    await worker.turn([deferred(lease, 1, 300, Signal.REFUSED) for lease in leases], 0)
    assert "after the provider refused its credentials" in (await bench.producer.why("j399")).sentence()
    (probe,) = await next_leases(worker, 100)
    assert (await worker.turn([], 100)).leases == ()
    assert "was in trouble and one job tries alone" in (await bench.producer.why("j399")).sentence()
    assert (await worker.turn([deferred(probe, 1, 300, Signal.REFUSED)], 100)).leases == ()
    (probe,) = await next_leases(worker, 100)
    assert len((await worker.turn([done(probe, Signal.OK)], 100)).leases) == 16


async def test_rests_of_the_circuit_grow_until_a_good_job(bench: Bench) -> None:
    worker = bench.worker()
    leases = (await worker.turn([], 100)).leases
    await fail(bench, leases[:5])
    why = await bench.producer.why("j399")
    first = why.paused_until_ms - why.now_ms
    await bench.client.hset(f"{bench.functions.keys.prefix}pool:main", "until_ms", 0)  # time passes
    await bench.client.delete(f"{bench.functions.keys.prefix}paused")
    await worker.turn([done(lease) for lease in leases[5:]], 0)
    (probe,) = (await worker.turn([], 100)).leases
    await fail(bench, (probe,))
    why = await bench.producer.why("j399")
    assert why.paused_until_ms - why.now_ms > first + 3_000


async def test_lifting_a_pause_by_hand_closes_the_circuit_and_restores_the_limit(bench: Bench) -> None:
    worker = bench.worker()
    leases = (await worker.turn([], 100)).leases
    await fail(bench, leases[:5])
    await worker.turn([done(lease) for lease in leases[5:]], 0)
    await bench.producer.set_pool("main", limit=16, paused=False)  # what the reconciler repeats changes nothing
    assert (await worker.turn([], 100)).leases == ()
    await resume(bench)
    assert len((await worker.turn([], 100)).leases) == 16


async def test_retries_wait_longer_when_their_budget_is_used_up(bench: Bench) -> None:
    worker = bench.worker()
    delays = []
    for n in range(24):
        await resume(bench)  # so that the circuit does not hide it
        (lease, *_) = (await worker.turn([], 1)).leases
        await worker.turn([deferred(lease, 100_000 + n, signal=Signal.FAILED)], 0)
        why = await bench.producer.why(lease.job.id)
        delays.append(why.due_ms - why.now_ms)
    assert all(delay > 90_000 for delay in delays)  # a longer delay stays as it is
    (lease, *_) = (await worker.turn([], 1)).leases
    await worker.turn([deferred(lease, 10, signal=Signal.FAILED)], 0)
    why = await bench.producer.why(lease.job.id)
    assert why.due_ms - why.now_ms > 50_000


async def test_trouble_of_one_pool_is_not_the_others(bench: Bench) -> None:
    await bench.producer.set_pool("other", limit=4, paused=False)
    from_other = [f"o{n}" for n in range(2)]
    for name in from_other:
        await bench.producer.submit(Job(name, "other", "acme"))
    worker = bench.worker()
    leases = (await worker.turn([], 18)).leases
    main = tuple(lease for lease in leases if lease.job.pool == "main")
    await fail(bench, main[:5])
    await bench.producer.submit(Job("o9", "other", "acme"))
    assert ids((await worker.turn([], 100)).leases) == ["o9"]
