"""The number of shards: the first one counts, another one is refused until nothing is left, and then it takes over."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from time import monotonic

import pytest

from callspool.domain.errors import Misconfigured, OtherLayout, SchedulerUnavailable
from callspool.domain.job import Job, Place, Stop
from callspool.scheduler.consumer import ValkeyConsumer
from callspool.scheduler.keys import Keys
from callspool.scheduler.layout import QUIET_MS
from tests.contract.test_scheduler_upgrade import OLDER
from tests.fixtures.bench import LEASE, SOON, Bench, done, ids
from tests.fixtures.raw import Raw, Request

TENANTS = ["acme", *(f"t{n}" for n in range(450)), "bravo"]
"""More than are asked for in one call."""
LAYOUT = Keys().layout

Started = Callable[..., Bench]


@pytest.fixture
async def started(valkey: str) -> AsyncIterator[Started]:
    """Processes of several numbers of shards, on one Valkey; each asks at once what is in force."""
    benches: list[Bench] = []

    def start(shards: int) -> Bench:
        benches.append(Bench(valkey, shards=shards, confirm_every_s=0))
        return benches[-1]

    yield start
    for bench in benches:
        await bench.close()


async def at_work(bench: Bench) -> Bench:
    """Let it join, and know the limits of a pool and its tenants."""
    await bench.producer.join(TENANTS)
    await bench.producer.open()
    await bench.limits("acme", "bravo", limit=2)
    return bench


async def until_refused(worker: ValkeyConsumer) -> None:
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            await worker.turn([], 1)
            await worker.wait(LEASE / 10)


async def test_the_first_number_is_written_and_the_same_may_come_again(started: Started) -> None:
    three = await at_work(started(3))
    assert await three.producer.layout() == 3
    await started(3).producer.join(TENANTS)
    await three.submit("acme", "j")
    assert ids((await three.worker().turn([], 1)).leases) == ["j"]


@pytest.mark.rule("I1")
@pytest.mark.parametrize("where", ["waits", "runs", "is put off"])
async def test_another_number_is_refused_while_a_job(where: str, started: Started) -> None:
    three = await at_work(started(3))
    worker = three.worker()
    await three.producer.submit(Job("j", "main", "bravo"), delay=timedelta(hours=1) if where == "is put off" else None)
    if where == "runs":
        assert ids((await worker.turn([], 1)).leases) == ["j"]
    for alone in (False, True):
        with pytest.raises(Misconfigured, match=r"CALLSPOOL_SHARDS is 5, but this Valkey works with 3, and .*drain"):
            await started(5).producer.join(TENANTS, alone=alone)
    # Those who are at work did not notice.
    assert (await three.producer.submit(Job("k", "main", "acme"))).accepted
    assert "k" in ids((await worker.turn([], 5)).leases)


@pytest.mark.rule("I1")
async def test_after_a_drain_another_number_takes_over_and_the_old_one_gets_nothing(started: Started) -> None:
    three = await at_work(started(3))
    old = three.worker("old")
    await three.submit("acme", "a", "b")
    held = (await old.turn([], 1)).leases
    assert await three.producer.drain(TENANTS) == 1
    with pytest.raises(Misconfigured, match="1 job"):
        await started(5).producer.join(TENANTS)
    await old.turn([done(lease) for lease in held], 0)
    assert await three.producer.drain(TENANTS) == 0

    five = await at_work(started(5))
    assert await five.producer.layout() == 5
    await five.submit("acme", "a", "b", "c")
    assert ids((await five.worker("new").turn([], 9)).leases) == ["a", "b"]
    with pytest.raises(OtherLayout, match=r"works with CALLSPOOL_SHARDS=5 now, this process with 3"):
        await three.producer.submit(Job("d", "main", "acme"))
    with pytest.raises(OtherLayout):
        await three.producer.ping()
    with pytest.raises(SchedulerUnavailable):
        await three.worker("late").turn([], 9)


@pytest.mark.rule("I1")
async def test_processes_of_a_version_without_layouts_are_granted_nothing_by_what_made_way(
    started: Started, valkey: str
) -> None:
    await at_work(started(1))
    older = Raw(valkey, version=OLDER)
    await started(1).producer.drain(TENANTS)
    await at_work(started(2))
    assert older.submit(("j", "main", "acme", "bulk", 0)) == [("closed", "unknown")]
    assert older.turn(Request("r", "w", 5))[1] == ()
    older.close()


async def test_shards_that_are_empty_but_in_use_are_kept_until_nobody_was_heard_for_a_minute(started: Started) -> None:
    three, five = await at_work(started(3)), started(5)
    with pytest.raises(Misconfigured, match="processes may be at work"):
        await five.producer.join(TENANTS)
    assert (await three.producer.submit(Job("j", "main", "acme"))).accepted
    await three.producer.cancel("j")
    seen = int(await three.client.hget(LAYOUT, "seen_ms"))
    await three.client.hset(LAYOUT, "seen_ms", seen - QUIET_MS)
    await five.producer.join(TENANTS)
    assert await five.producer.layout() == 5


async def test_one_who_knows_that_it_is_alone_does_not_wait_for_that(started: Started) -> None:
    await at_work(started(3))
    await started(5).producer.join(TENANTS, alone=True)
    assert await started(5).producer.layout() == 5


async def test_the_way_back_takes_jobs_again(started: Started) -> None:
    for shards in (3, 5, 3, 5):
        bench = await at_work(started(shards))
        assert (await bench.producer.submit(Job("j", "main", "acme"))).accepted
        worker = bench.worker(f"w{shards}")
        (lease,) = (await worker.turn([], 1)).leases
        await worker.turn([done(lease)], 0)
        await bench.producer.drain(TENANTS)


async def test_of_several_who_come_at_once_one_number_counts(started: Started) -> None:
    await (await at_work(started(2))).producer.drain(TENANTS)
    comers = [started(shards) for shards in (3, 4, 5, 3, 4, 5)]
    said = await asyncio.gather(*(one.producer.join(TENANTS) for one in comers), return_exceptions=True)
    in_force = await comers[0].producer.layout()
    assert in_force in {3, 4, 5}
    for comer, answer in zip(comers, said, strict=True):
        assert isinstance(answer, Misconfigured if len(comer.shards) != in_force else type(None))
    assert all([await comer.functions.call("epoch") for comer in comers if len(comer.shards) == in_force])


async def test_a_lost_reply_to_a_take_over_changes_nothing_when_it_is_asked_again(valkey: str) -> None:
    raw = Raw(valkey)

    def layout(*args: str | int) -> list[int]:
        return raw.client.execute_command("FCALL", f"{raw.version.name}_layout", 1, LAYOUT, *args)

    first = layout(3, "0")
    assert layout(3, "0")[:2] == first[:2]
    taken = layout(5, str(first[1]))
    assert taken[0] == 5
    assert taken[1] > first[1]
    assert layout(5, str(first[1]))[:2] == taken[:2]
    assert layout(4, str(first[1]))[:2] == taken[:2]  # who saw what was before comes too late
    raw.close()


def test_a_shard_makes_way_only_in_the_moment_in_which_nothing_is_left(valkey: str) -> None:
    raw = Raw(valkey)
    raw.call("open")
    raw.submit(("j", "main", "acme", "bulk", 0))
    assert raw.call("retire", "close", 7, "acme")[:4] == [0, 0, 1, 0]
    raw.call("cancel", "j")
    before = raw.call("epoch")
    assert raw.call("retire", "close", 7, "acme") == [0, 0, 0, 1, 1]
    assert raw.submit(("j", "main", "acme", "bulk", 0)) == [("closed", "unknown")]
    assert raw.call("retire", "reopen", 7)[3] == 1  # one who is late does not open it again
    assert raw.call("epoch") == before
    assert raw.call("retire", "reopen", 8)[3] == 0
    assert raw.call("epoch") != before  # what came meanwhile has to come again
    assert raw.submit(("j", "main", "acme", "bulk", 0)) == [("accepted", "waiting")]
    raw.close()


@pytest.mark.rule("I1")
@pytest.mark.parametrize("who", [3, 5])
async def test_a_take_over_that_was_broken_off_is_mended_by_the_next_start_of_either(
    who: int, started: Started, valkey: str
) -> None:
    three = await at_work(started(3))
    seen = await three.functions.layout()
    raw = Raw(valkey, three.names[1])
    raw.call("retire", "close", seen.generation)  # of one shard; then it died, or will go on late
    await three.producer.drain(TENANTS)
    if who == 3:
        await three.producer.reopen()
        raw.call("retire", "close", seen.generation)
    comer = started(who)
    await comer.producer.join(TENANTS)
    pools = [f"p{n}" for n in range(20)]
    for pool in pools:
        assert (await comer.producer.submit(Job(pool, pool, "acme"))).accepted
    late = await started(7).functions.layout(instead_of=str(seen.generation))
    assert late.shards == who
    raw.close()


@pytest.mark.rule("I1", "I8")
async def test_after_a_flush_the_first_number_counts_and_leases_of_the_old_end_before_it_grants(
    started: Started,
) -> None:
    three = await at_work(started(3))
    await three.submit("acme", "a", "b")
    old = three.worker("old", LEASE)
    stopped: dict[str, float] = {}
    old.watch(lambda lease, why: stopped.update({lease.job.id: monotonic()}) if why is Stop.LOST else None)
    assert len((await old.turn([], 2)).leases) == 2
    await three.client.flushall()

    five = started(5)
    await five.producer.join(TENANTS)
    await five.limits("acme", limit=2)
    await five.submit("acme", "a", "b")
    new = five.worker("new", LEASE)
    granted: tuple[str, ...] = ()
    async with asyncio.timeout(SOON.total_seconds()):
        while not granted:
            granted = tuple(ids((await new.turn([], 9)).leases))
            with contextlib.suppress(OtherLayout):
                assert (await old.turn([], 9)).leases == ()
            await new.wait(timedelta(milliseconds=20))
    at = monotonic()
    assert set(granted) == set(stopped) == {"a", "b"}
    assert max(stopped.values()) < at
    with pytest.raises(OtherLayout):
        await old.turn([], 9)


async def test_a_worker_that_hears_of_another_number_keeps_what_it_has_to_settle(started: Started) -> None:
    """Back under its own number it goes on: the error is one of those after which it asks again."""
    three = await at_work(started(3))
    await three.submit("acme", "a")
    worker = three.worker()
    (lease,) = (await worker.turn([], 1)).leases
    await three.client.hset(LAYOUT, "shards", 5)
    with pytest.raises(OtherLayout):
        await until_refused(worker)
    await three.client.hset(LAYOUT, "shards", 3)
    await worker.turn([done(lease)], 0)
    assert await three.producer.place("a") is Place.UNKNOWN


async def test_shards_of_a_version_that_wrote_no_layout_are_found(started: Started, valkey: str) -> None:
    older = Raw(valkey, version=OLDER)  # of one shard
    older.call("open")
    older.submit(("j", "main", "acme", "bulk", 0))
    with pytest.raises(Misconfigured, match=r"works with 1, and .*1 tenant"):
        await started(2).producer.join(TENANTS)
    await started(1).producer.join(TENANTS)
    assert await started(1).producer.layout() == 1
    assert await started(1).producer.place("j") is Place.WAITING
    older.close()


async def test_an_upgrade_goes_on_with_the_number_at_work_whatever_was_left_of_others(started: Started) -> None:
    for shards in (2, 3):
        bench = started(shards)
        await bench.producer.open()
        await bench.submit("acme", "j")
    await started(3).producer.join(TENANTS)
    assert await started(3).producer.layout() == 3
    with pytest.raises(Misconfigured):
        await started(2).producer.join(TENANTS)
