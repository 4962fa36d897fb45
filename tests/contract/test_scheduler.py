"""What the scheduler promises, on a real Valkey."""

import asyncio
import functools
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import uvloop
import valkey as valkey_client
from valkey.asyncio import Valkey

from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.job import Job, Lane, Place, Stop
from callspool.scheduler.connection import Functions, unavailable
from callspool.scheduler.embedded import Embedded
from callspool.scheduler.producer import ValkeyProducer
from tests.fixtures.bench import LEASE, SOON, Bench, deferred, done, ids, next_leases, woken


@pytest.fixture
async def bench(valkey: str) -> AsyncIterator[Bench]:
    bench = Bench(valkey)
    await bench.producer.open()
    yield bench
    await bench.close()


@asynccontextmanager
async def frozen(server: Embedded) -> AsyncIterator[None]:
    client = Valkey.from_url(server.url)
    async with asyncio.timeout(SOON.total_seconds()):
        while (await client.info("persistence"))["aof_buffer_length"]:  # with a slow disk writes wait
            await asyncio.sleep(0.01)
    await client.aclose()
    server.kill()
    yield
    server.start()


@pytest.mark.rule("S6", "I1")
async def test_tenant_never_has_more_jobs_running_than_slots(bench: Bench) -> None:
    await bench.limits("acme", slots=3)
    await bench.submit("acme", *(f"j{n}" for n in range(10)))
    turn = await bench.worker().turn([], 32)
    assert ids(turn.leases) == ["j0", "j1", "j2"]
    assert (await bench.worker("w2").turn([], 32)).leases == ()


@pytest.mark.rule("S3", "I5")
async def test_freed_slot_is_handed_to_the_next_job_in_the_same_step(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    worker = bench.worker()
    (first,) = (await worker.turn([], 8)).leases
    turn = await worker.turn([done(first)], 8)
    assert ids(turn.leases) == ["j1"]


@pytest.mark.rule("F7", "S3")
async def test_waiting_for_a_slot_loses_no_job_however_long(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "held", "j1")
    worker = bench.worker()
    (held,) = (await worker.turn([], 1)).leases
    for _ in range(50):
        assert (await worker.turn([], 8)).leases == ()
    assert await bench.producer.place("j1") is Place.WAITING
    assert ids((await worker.turn([done(held)], 8)).leases) == ["j1"]


@pytest.mark.rule("I1")
async def test_pool_limit_holds_across_its_tenants(bench: Bench) -> None:
    await bench.limits("a", "b", "c", slots=3, limit=4)
    for tenant in "abc":
        await bench.submit(tenant, *(f"{tenant}{n}" for n in range(5)))
    assert len((await bench.worker().turn([], 32)).leases) == 4


@pytest.mark.rule("I6")
async def test_one_job_of_a_small_tenant_is_next_behind_a_large_backlog(bench: Bench) -> None:
    await bench.limits("large", "small", slots=100)
    await bench.producer.submit_many([(Job(f"l{n}", "main", "large"), None) for n in range(1000)])
    worker = bench.worker()
    await worker.turn([], 20)
    await bench.submit("small", "s0")
    assert "s0" in ids((await worker.turn([], 2)).leases)


async def test_shares_follow_weights(bench: Bench) -> None:
    await bench.limits("one", slots=1000, limit=10_000, weight=1)
    await bench.limits("three", slots=1000, limit=10_000, weight=3)
    for tenant in ("one", "three"):
        await bench.producer.submit_many([(Job(f"{tenant}{n}", "main", tenant), None) for n in range(400)])
    leases = (await bench.worker().turn([], 200)).leases
    heavy = sum(lease.job.tenant == "three" for lease in leases)
    assert 148 <= heavy <= 152


async def test_interactive_goes_first_but_bulk_never_starves(bench: Bench) -> None:
    await bench.limits("acme", slots=100)
    await bench.submit("acme", *(f"b{n}" for n in range(10)))
    await bench.submit("acme", *(f"i{n}" for n in range(10)), lane=Lane.INTERACTIVE)
    granted = ids((await bench.worker().turn([], 10)).leases)
    assert granted[:4] == ["i0", "i1", "i2", "i3"]
    assert sum(one.startswith("b") for one in granted) == 2


@pytest.mark.rule("S1", "S10", "F20")
async def test_repeated_submit_joins_the_job_that_is_there(bench: Bench) -> None:
    await bench.limits("acme", "bravo", slots=3)
    first = await bench.producer.submit(Job("j0", "main", "acme"))
    again = await bench.producer.submit(Job("j0", "main", "acme"))
    assert (first.accepted, again.accepted, again.place) == (True, False, Place.WAITING)
    # Another tenant's job is its own.
    assert (await bench.producer.submit(Job("k0", "main", "bravo"))).accepted
    assert sorted(ids((await bench.worker().turn([], 9)).leases)) == ["j0", "k0"]


@pytest.mark.rule("S1")
async def test_job_that_ended_can_be_submitted_at_once(bench: Bench) -> None:
    await bench.limits("acme")
    worker = bench.worker()
    await bench.submit("acme", "j0")
    (lease,) = (await worker.turn([], 1)).leases
    await worker.turn([done(lease)], 0)
    assert (await bench.producer.submit(Job("j0", "main", "acme"))).accepted
    assert ids((await worker.turn([], 1)).leases) == ["j0"]


@pytest.mark.rule("S1", "F19")
async def test_retry_between_commit_and_settle_is_not_lost(bench: Bench) -> None:
    await bench.limits("acme")
    worker = bench.worker()
    await bench.submit("acme", "j0")
    (lease,) = (await worker.turn([], 1)).leases
    joined = await bench.producer.submit(Job("j0", "main", "acme"))
    assert joined.place is Place.RUNNING
    assert ids((await worker.turn([done(lease)], 1)).leases) == ["j0"]


@pytest.mark.rule("S1")
async def test_submits_repeated_while_a_job_runs_are_one_more_round_of_it_however_many(bench: Bench) -> None:
    await bench.limits("acme")
    worker = bench.worker()
    await bench.submit("acme", "j0")
    (lease,) = (await worker.turn([], 9)).leases
    await bench.submit("acme", "j0", "j0", "j0")
    (again,) = (await worker.turn([done(lease)], 9)).leases
    assert again.job == lease.job
    assert (await worker.turn([done(again)], 9)).leases == ()
    assert await bench.producer.place("j0") is Place.UNKNOWN


@pytest.mark.rule("S1")
async def test_lost_job_blocks_no_longer_than_the_dedup_window(bench: Bench) -> None:
    await bench.limits("acme")
    await bench.submit("acme", "j0")
    await bench.client.delete(f"{bench.functions.keys.prefix}line:main:acme")  # the loss
    within = ValkeyProducer(bench.functions, dedup_window=timedelta(minutes=2))
    assert not (await within.submit(Job("j0", "main", "acme"))).accepted
    past = ValkeyProducer(bench.functions, dedup_window=timedelta(0))
    assert (await past.submit(Job("j0", "main", "acme"))).accepted
    assert ids((await bench.worker().turn([], 1)).leases) == ["j0"]


@pytest.mark.rule("S7", "F4", "F5", "I5")
async def test_dead_workers_slot_is_free_after_its_lease(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    dead = bench.worker("dead", LEASE)
    assert ids((await dead.turn([], 1)).leases) == ["j0"]
    await dead.close()  # no heartbeat, no settle
    leases = await next_leases(bench.worker("alive", LEASE))
    assert ids(leases) == ["j0"]
    (load,) = await bench.producer.load(["acme"])
    assert (load.running, load.waiting) == (1, 1)


@pytest.mark.rule("S4")
async def test_heartbeats_keep_a_lease_far_beyond_its_time(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    slow, other = bench.worker("slow", LEASE), bench.worker("other", LEASE)
    (lease,) = (await slow.turn([], 1)).leases
    deadline = asyncio.get_running_loop().time() + 3 * LEASE.total_seconds()
    while asyncio.get_running_loop().time() < deadline:
        assert (await other.turn([], 8)).leases == ()
        await other.wait(timedelta(milliseconds=100))
    assert ids((await slow.turn([done(lease)], 1)).leases) == ["j1"]


@pytest.mark.rule("S4")
async def test_heartbeats_do_not_need_the_event_loop(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    busy, other = bench.worker("busy", LEASE), bench.worker("other", LEASE)
    (lease,) = (await busy.turn([], 1)).leases
    until = time.monotonic() + 2 * LEASE.total_seconds()
    while time.monotonic() < until:  # decoding audio, say: nothing else runs in this loop
        sum(range(10_000))
    assert (await other.turn([], 8)).leases == ()
    assert ids((await busy.turn([done(lease)], 1)).leases) == ["j1"]


@pytest.mark.rule("I4", "F5")
async def test_late_settle_frees_nobodys_slot(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0")
    stale = bench.worker("stale", LEASE)
    (old,) = (await stale.turn([], 1)).leases
    await asyncio.to_thread(stale._shards[0].heartbeat.close)
    alive = bench.worker("alive", LEASE)
    (new,) = await next_leases(alive)
    await stale.turn([done(old)], 0)
    assert await bench.producer.place("j0") is Place.RUNNING
    await alive.turn([done(new)], 0)
    assert await bench.producer.place("j0") is Place.UNKNOWN


async def test_worker_is_told_when_its_lease_cannot_be_renewed(bench: Bench, valkey_server: Embedded) -> None:
    await bench.limits("acme")
    await bench.submit("acme", "j0")
    worker = bench.worker(lease=LEASE)
    told: asyncio.Queue[tuple[str, Stop]] = asyncio.Queue()
    worker.watch(lambda lease, why: told.put_nowait((lease.job.id, why)))
    await worker.turn([], 1)
    begun = asyncio.get_running_loop().time()
    async with frozen(valkey_server):
        assert await asyncio.wait_for(told.get(), 5) == ("j0", Stop.LOST)
        assert asyncio.get_running_loop().time() - begun <= LEASE.total_seconds()


@pytest.mark.rule("I1", "I4")
async def test_frozen_worker_never_renews_what_it_cannot_trust_any_more(bench: Bench) -> None:
    """Not even in a new lifetime, in which whoever renews a lease is believed to hold it."""
    await bench.limits("acme")
    await bench.submit("acme", "j0")
    worker = bench.worker(lease=LEASE)
    told: asyncio.Queue[tuple[str, Stop]] = asyncio.Queue()
    worker.watch(lambda lease, why: told.put_nowait((lease.job.id, why)))
    await worker.turn([], 1)
    frozen_until = asyncio.get_running_loop().time() + 1.2 * LEASE.total_seconds()
    with worker._shards[0].heartbeat._changed:  # its thread stands still
        while asyncio.get_running_loop().time() < frozen_until:
            await asyncio.sleep(0.05)
        await bench.client.flushall()
    assert await asyncio.wait_for(told.get(), 5) == ("j0", Stop.LOST)
    await worker.close()
    assert await bench.producer.place("j0") is Place.UNKNOWN


@pytest.mark.rule("S3")
async def test_deferred_job_comes_back_by_itself_and_blocks_nobody(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    worker = bench.worker()
    (lease,) = (await worker.turn([], 1)).leases
    (other,) = (await worker.turn([deferred(lease, 300)], 1)).leases
    assert other.job.id == "j1"
    assert await bench.producer.place("j0") is Place.DEFERRED
    await worker.turn([done(other)], 0)
    assert ids(await next_leases(worker)) == ["j0"]


async def test_paused_pool_grants_nothing_until_its_time(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.producer.set_pool("other", limit=5, paused=False)
    await bench.submit("acme", "j0", "j1")
    worker = bench.worker()
    (lease,) = (await worker.turn([], 1)).leases
    turn = await worker.turn([deferred(lease, 0, pause_pool_ms=400)], 1)
    assert turn.leases == ()
    assert turn.next_due_ms is not None
    assert 0 < turn.next_due_ms <= 400
    assert ids(await next_leases(worker, 1)) == ["j0"]


async def test_limits_change_at_run_time(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", *(f"j{n}" for n in range(5)))
    worker = bench.worker()
    held = list((await worker.turn([], 9)).leases)
    await bench.limits("acme", slots=3)
    held += (await worker.turn([], 9)).leases
    assert len(held) == 3
    await bench.limits("acme", slots=1)
    assert (await worker.turn([done(held.pop())], 9)).leases == ()
    await bench.producer.set_tenant("acme", slots=5, weight=1, paused=True)
    assert (await worker.turn([], 9)).leases == ()
    await bench.limits("acme", slots=5)
    assert len((await worker.turn([], 9)).leases) == 2


async def test_unknown_limits_grant_nothing(bench: Bench) -> None:
    await bench.submit("acme", "j0")
    assert (await bench.worker().turn([], 1)).leases == ()


async def test_submit_wakes_a_worker_that_waits(bench: Bench) -> None:
    await bench.limits("acme")
    worker = bench.worker()
    await worker.turn([], 1)
    waiting = asyncio.create_task(woken(worker))
    await bench.submit("acme", "j0")
    await waiting
    assert ids((await worker.turn([], 1)).leases) == ["j0"]


async def test_a_worker_that_died_takes_no_wake_up_from_one_that_lives(bench: Bench) -> None:
    await bench.limits("acme")
    alive = bench.worker("alive")
    for _ in range(2):
        await bench.worker("died").turn([], 1)  # it waits no more, and did not say so
        await alive.wait(timedelta(milliseconds=20))
        await alive.turn([], 1)
        await bench.submit("acme", "j0")
        await woken(alive)
        await bench.producer.cancel("j0")


async def test_a_worker_that_stops_leaves_its_wake_ups_to_others(bench: Bench) -> None:
    await bench.limits("acme")
    stays, heard_last = bench.worker("stays"), bench.worker("heard last")
    await stays.turn([], 1)
    await stays.wait(timedelta(milliseconds=20))
    await heard_last.turn([], 1)
    await heard_last.leave()
    await bench.submit("acme", "j0")
    await woken(stays)
    await bench.producer.cancel("j0")
    await stays.turn([], 1)
    await stays.wait(timedelta(milliseconds=20))
    await heard_last.turn([], 1)
    await bench.submit("acme", "j1")  # wakes the other, which stops before it hears
    await heard_last.close()
    await woken(stays)


async def test_promoted_job_goes_first_and_at_once(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1", "j2")
    worker = bench.worker()
    (lease,) = (await worker.turn([], 1)).leases
    await bench.producer.promote(Job("j2", "main", "acme"))
    (second,) = (await worker.turn([deferred(lease, 60_000)], 1)).leases
    assert second.job.id == "j2"
    await bench.producer.promote(Job("j0", "main", "acme"))
    assert ids((await worker.turn([done(second)], 1)).leases) == ["j0"]


async def test_cancel_works_wherever_the_job_is(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "running", "waiting")
    worker = bench.worker()
    told: asyncio.Queue[tuple[str, Stop]] = asyncio.Queue()
    worker.watch(lambda lease, why: told.put_nowait((lease.job.id, why)))
    (lease,) = (await worker.turn([], 1)).leases
    assert await bench.producer.cancel("waiting") is Place.WAITING
    assert await bench.producer.place("waiting") is Place.UNKNOWN
    assert await bench.producer.cancel("running") is Place.RUNNING
    await woken(worker)
    assert await asyncio.wait_for(told.get(), 5) == ("running", Stop.CANCELLED)
    # Its slot stays taken until the worker has stopped; then the job is gone, whatever the worker said.
    await worker.turn([deferred(lease, 0)], 0)
    assert await bench.producer.place("running") is Place.UNKNOWN
    assert (await bench.producer.load(["acme"]))[0].running == 0


@pytest.mark.rule("S1", "F19")
async def test_retry_after_a_cancellation_is_not_lost(bench: Bench) -> None:
    await bench.limits("acme")
    await bench.submit("acme", "j0")
    worker = bench.worker()
    (lease,) = (await worker.turn([], 1)).leases
    await bench.producer.cancel("j0")
    await bench.submit("acme", "j0")  # the person changed their mind before the worker had stopped
    assert ids((await worker.turn([done(lease)], 1)).leases) == ["j0"]


@pytest.mark.rule("S1", "F19")
async def test_play_of_what_runs_and_is_due_again_in_the_store_is_not_lost(bench: Bench) -> None:
    """Between its worker's commit (put off) and its settle: it runs at once, before the bulk."""
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    worker = bench.worker()
    (lease,) = (await worker.turn([], 1)).leases
    assert (await bench.producer.promote(Job("j0", "main", "acme"))).place is Place.RUNNING
    (again,) = (await worker.turn([deferred(lease, 60_000)], 1)).leases
    assert (again.job.id, again.job.lane) == ("j0", Lane.INTERACTIVE)
    assert ids((await worker.turn([done(again)], 1)).leases) == ["j1"]


@pytest.mark.rule("I6")
async def test_bulk_does_not_starve_while_clicks_come_in_another_account(bench: Bench) -> None:
    await bench.limits("acme", slots=100)
    await bench.producer.set_pool("other", limit=100, paused=False)
    await bench.submit("acme", "bulk")
    await bench.submit("acme", *(f"i{n}" for n in range(20)), lane=Lane.INTERACTIVE)
    for n in range(20):
        await bench.producer.submit(Job(f"o{n}", "other", "acme", Lane.INTERACTIVE))
    worker, granted = bench.worker(), []
    while "bulk" not in granted:
        granted += ids((await worker.turn([], 1)).leases)
        assert len(granted) <= 12


async def test_turn_repeated_after_a_lost_reply_has_its_effect_once(bench: Bench) -> None:
    await bench.limits("acme", slots=3)
    await bench.submit("acme", "j0", "j1")
    args = ("request-1", "w1", "", 1200, 1, "[]")
    first = await bench.functions.call("turn", *args)
    again = await bench.functions.call("turn", *args)
    assert first == again
    assert (await bench.producer.load(["acme"]))[0].running == 1


@pytest.mark.rule("I5", "S3")
async def test_what_a_hanging_server_granted_too_late_is_free_at_once(bench: Bench, valkey_server: Embedded) -> None:
    await bench.limits("acme", slots=1)
    worker = bench.worker(lease=LEASE)
    await worker.turn([], 1)
    shard = worker._shards[0]
    shard._functions = Functions(bench.url, bench.names[0], timeout_s=0.3)
    await bench.submit("acme", "j0")
    assert valkey_server.pid is not None
    os.kill(valkey_server.pid, signal.SIGSTOP)
    until = time.monotonic() + LEASE.total_seconds()
    try:
        while time.monotonic() < until:
            with pytest.raises(SchedulerUnavailable):
                await worker.turn([], 1)
    finally:
        os.kill(valkey_server.pid, signal.SIGCONT)  # now it does what it was asked for all the time
    (lease,) = (await worker.turn([], 1)).leases
    assert lease.job.id == "j0"
    assert await bench.client.zcard(bench.functions.keys.prefix + "leases") == 1


@pytest.mark.rule("I4")
async def test_a_request_that_was_given_up_takes_nothing_when_it_still_comes(bench: Bench) -> None:
    await bench.limits("acme", slots=3)
    await bench.submit("acme", "j0", "j1")
    turn = functools.partial(bench.functions.call, "turn")
    assert len(json.loads(await turn("late", "w1", "", 1200, 1, "[]", ""))) == 6
    await turn("next", "w1", "", 1200, 0, "[]", "late")  # it was heard: what it got goes back
    assert (await bench.producer.load(["acme"]))[0].running == 0
    await turn("third", "w1", "", 1200, 0, "[]", "never heard")
    assert await turn("never heard", "w1", "", 1200, 2, "[]", "") == b"[-1]"
    assert ids((await bench.worker("w2").turn([], 2)).leases) == ["j0", "j1"]


@pytest.mark.rule("I8", "I1")
async def test_after_flushall_live_workers_keep_their_leases_and_nothing_is_granted_twice(bench: Bench) -> None:
    await bench.limits("acme", slots=2)
    await bench.submit("acme", "j0")
    alive, other = bench.worker("alive", LEASE), bench.worker("other", LEASE)
    (lease,) = (await alive.turn([], 1)).leases
    await bench.client.flushall()
    # What the reconciler does: limits again, and every unfinished job.
    await bench.limits("acme", slots=2)
    await bench.producer.submit_many([(Job(name, "main", "acme"), None) for name in ("j0", "j1")])
    why = (await bench.producer.why("j1")).sentence()  # before any worker has asked
    assert why.startswith("The scheduler was restarted and grants nothing until ")
    assert (await other.turn([], 9)).leases == ()
    assert ids(await next_leases(other)) == ["j1"]
    assert await bench.producer.place("j0") is Place.RUNNING
    await alive.turn([done(lease)], 0)
    assert await bench.producer.place("j0") is Place.UNKNOWN


async def test_lost_functions_are_loaded_again(bench: Bench) -> None:
    await bench.limits("acme")
    await bench.submit("acme", "j0")
    await bench.client.execute_command("FUNCTION", "FLUSH")
    assert ids((await bench.worker().turn([], 1)).leases) == ["j0"]


@pytest.mark.rule("F6")
async def test_away_valkey_grants_nothing_and_says_so(bench: Bench, valkey_server: Embedded) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    worker = bench.worker(lease=LEASE)
    (lease,) = (await worker.turn([], 1)).leases
    async with frozen(valkey_server):
        with pytest.raises(SchedulerUnavailable):
            await worker.turn([], 1)
        with pytest.raises(SchedulerUnavailable):
            await bench.producer.submit(Job("j2", "main", "acme"))
    # kill -9 lost nothing: the slot is still taken. But that is not known yet, so nothing new is granted at first.
    assert (await worker.turn([], 1)).leases == ()
    assert (await worker.turn([done(lease)], 1)).leases == ()
    assert ids(await next_leases(worker)) == ["j1"]


@pytest.mark.rule("F2", "F3")
async def test_jobs_put_in_by_one_process_reach_the_worker_of_another(valkey: str, bench: Bench) -> None:
    await bench.limits("acme")
    other = Functions(valkey)
    await ValkeyProducer(other).submit(Job("j0", "main", "acme"))
    await other.close()
    assert ids((await bench.worker().turn([], 1)).leases) == ["j0"]


async def test_nothing_is_left_behind_when_all_is_done(bench: Bench) -> None:
    await bench.limits("acme", slots=5)
    worker = bench.worker()

    def keys() -> set[bytes]:
        with valkey_client.Valkey.from_url(bench.url) as client:
            found: set[bytes] = set(client.keys("*"))
            return {key for key in found if b"reply:" not in key and b"idle" not in key and b":seq" not in key}

    before = keys()
    await bench.submit("acme", *(f"j{n}" for n in range(20)))
    while leases := (await worker.turn([], 5)).leases:
        await worker.turn([done(lease) for lease in leases], 0)
    assert keys() == before


async def test_restarted_server_grants_nothing_for_a_lease_time_because_its_last_second_may_be_missing(
    bench: Bench, valkey_server: Embedded
) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    alive, other = bench.worker("alive", LEASE), bench.worker("other", LEASE)
    (held,) = (await alive.turn([], 1)).leases
    before = await bench.producer.epoch()
    # What a power loss does: the grant is not in the file.
    await bench.client.delete(
        *(bench.functions.keys.prefix + name for name in ("leases", "held:t:acme", "held:p:main", "job:j0"))
    )
    async with frozen(valkey_server):
        pass
    assert await bench.producer.epoch() != before
    assert (await other.turn([], 9)).leases == ()
    why = await bench.producer.why("j1")
    assert why.sentence().startswith("The scheduler was restarted and grants nothing until ")
    due = timedelta(milliseconds=(await other.turn([], 9)).next_due_ms or 0)
    while (turn := await other.turn([], 9)).leases == () and (await bench.producer.place("j0")) is not Place.RUNNING:
        await other.wait(due)
    assert turn.leases == ()  # the worker that lives has registered its lease again, so the slot is taken
    await alive.turn([done(held)], 0)
    assert ids(await next_leases(other)) == ["j1"]


async def test_running_job_says_where_its_spool_is_read(bench: Bench) -> None:
    await bench.limits("acme", slots=1)
    await bench.submit("acme", "j0", "j1")
    worker = bench.worker(address="10.0.0.7:9000")
    (lease,) = (await worker.turn([], 1)).leases
    assert await bench.producer.locate("j0") == "10.0.0.7:9000"
    assert await bench.producer.locate("j1") is None
    await worker.turn([done(lease)], 0)
    assert await bench.producer.locate("j0") is None


async def test_why_names_what_a_job_waits_for(bench: Bench) -> None:
    async def why(job_id: str) -> str:
        return (await bench.producer.why(job_id)).sentence()

    await bench.submit("acme", *(f"j{n}" for n in range(5)))
    assert await why("j1") == "The limits of tenant acme are not known to the scheduler yet; it is 2nd in its line."
    await bench.limits("acme", slots=1)
    assert await why("j0") == "It waits for a worker with room; it is 1st in its line."
    worker = bench.worker("w7")
    (lease,) = (await worker.turn([], 1)).leases
    assert await why("j0") == "It runs on worker w7."
    assert await why("j4") == "1 of 1 slots of tenant acme are busy; it is 4th in its line."
    await bench.limits("acme", slots=3, limit=1)
    assert await why("j4") == "1 of 1 downloads of account main are busy; it is 4th in its line."
    await bench.producer.set_tenant("acme", slots=3, weight=1, paused=True)
    assert await why("j4") == "Tenant acme is paused by an operator; it is 4th in its line."
    await bench.producer.set_pool("main", limit=1, paused=True)
    assert await why("j4") == "Account main is paused by an operator; it is 4th in its line."
    await bench.functions.call("close")
    assert (await why("j4")).startswith("The scheduler is drained and grants nothing until ")
    await bench.producer.reopen()
    await worker.turn([deferred(lease, 60_000)], 0)
    assert (await why("j0")).startswith("It is put off until ")
    assert await why("nothing") == "The scheduler does not know it."


async def test_connection_that_breaks_a_moment_before_the_writing_is_unavailable_on_every_loop(valkey: str) -> None:
    async def write_too_late() -> None:
        _, writer = await asyncio.open_unix_connection(valkey.removeprefix("unix://"))
        writer.transport.abort()
        await asyncio.sleep(0)  # one step of the loop: what a client's write may come after
        with unavailable():
            writer.writelines([b"PING\r\n"])
            await writer.drain()

    def on(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        with asyncio.Runner(loop_factory=make_loop) as runner, pytest.raises(SchedulerUnavailable):
            runner.run(write_too_late())

    await asyncio.to_thread(on, asyncio.new_event_loop)
    await asyncio.to_thread(on, uvloop.new_event_loop)
