"""The real scheduler beside the model: any calls in any order, with faults, and after each step the same state."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.fixtures.nodes import Clocked
from tests.fixtures.raw import Raw
from tests.property.scheduler_state import check_lifetime, check_pace, check_places, check_rings, check_turns
from tests.property.scheduler_world import BYSTANDER, HOME, JOBS, LATER_MS, POOLS, TENANTS, WORKERS, World, ended

LANES = st.sampled_from(["bulk", "bulk", "interactive"])
DELAYS = st.sampled_from([0, 0, 0, 5_000, LATER_MS])
SIGNALS = ["good", "quick", "slow", "throttled", "told to wait", "failed", "refused"]
ENDS = st.sampled_from(["done", "later", "back", "keep", "good", *SIGNALS])
SOME_ENDS = st.one_of(ENDS.map(lambda how: [how] * 6), st.lists(ENDS, max_size=6))
SELDOM = st.sampled_from([False, False, False, False, True])
A_WHILE = st.sampled_from([1, 400, 1_100, 5_000, 20_000, 59_000, 61_000, 130_000, LATER_MS])
STEPS = st.sampled_from([-LATER_MS, -45_000, -20_000, -900, 900, 20_000, 45_000, 58_000, LATER_MS])


class Machine(RuleBasedStateMachine):
    """One example: calls and faults."""

    def __init__(self, raw: Raw, server: Clocked) -> None:
        super().__init__()
        self.world = World(raw, server)
        self.raw, self.model = raw, self.world.model
        self.may_restart = True

    @initialize(slots=st.integers(1, 3), limit=st.integers(1, 9))
    def begin(self, slots: int, limit: int) -> None:
        """Give everybody limits; there is no older worker."""
        self.open()
        self.world.ask(BYSTANDER, 0)  # so that the length of a lease is known
        for tenant in TENANTS:
            self.set_tenant(tenant, slots, 1.0, False)
        for pool in POOLS:
            self.set_pool(pool, limit, False)

    # --- calls ---------------------------------------------------------------------------------------

    @rule(jobs=st.lists(st.tuples(st.sampled_from(JOBS), LANES, DELAYS), min_size=1, max_size=20), again=st.booleans())
    def submit(self, jobs: list[tuple[str, str, int]], again: bool) -> None:
        given = [(job, *HOME[job], lane, delay) for job, lane, delay in jobs]
        expected = [self.model.submit(*one, again=again) for one in given]
        self.model.end()
        assert self.raw.submit(*given, again=again) == expected

    @rule(line=st.integers(0, 5), interactive=st.integers(0, 10))
    def submit_a_whole_line(self, line: int, interactive: int) -> None:
        """Ten jobs of one tenant in one pool."""
        self.submit([(f"j{n * 6 + line}", "interactive" if n < interactive else "bulk", 0) for n in range(10)], False)

    @rule(
        worker=st.sampled_from(WORKERS),
        line=st.integers(0, 5),
        room=st.integers(1, 9),
        turns=st.integers(2, 12),
        how=st.sampled_from(["done", "done", "good", *SIGNALS]),
        each_ms=st.sampled_from([0, 0, 1_100]),
        waits=st.booleans(),
    )
    def work_for_a_while(
        self, worker: str, line: int, room: int, turns: int, how: str, each_ms: int, waits: bool
    ) -> None:
        """Jobs come; turn after turn ends what the one before was granted, and all in the same way."""
        self.submit_a_whole_line(line, 0)
        if waits:
            self.world.live_through_the_wait()
        self.work(worker, room, turns, how, each_ms)

    def work(self, worker: str, room: int, turns: int, how: str, each_ms: int) -> None:
        self.world.hear(worker)
        for _ in range(turns):
            if each_ms:
                self.world.live(each_ms)
            held = self.world.look_at_its_clock(worker)
            self.world.turn(worker, room, tuple(ended(grant, how) for grant in held))

    @rule(
        worker=st.sampled_from(WORKERS),
        line=st.integers(0, 5),
        how=st.sampled_from(["failed", "refused", "told to wait"]),
        lifted=st.integers(0, 6),
        limit=st.sampled_from([9, 3, 1, 0]),
    )
    def provider_is_in_trouble_and_answers_again(
        self, worker: str, line: int, how: str, lifted: int, limit: int
    ) -> None:
        """An operator lifts the rest that comes of it, so often, and in vain; then it is waited for."""
        pool = POOLS[line % 2]
        self.set_tenant(TENANTS[line % 3], 4, 1.0, False)
        self.set_pool(pool, 9, False)
        self.work_for_a_while(worker, line, 9, 3, how, 1_100, True)
        for _ in range(lifted):
            self.set_pool(pool, 9, True)
            self.set_pool(pool, 9, False)
            self.work(worker, 9, 3, how, 1_100)
        self.set_pool(pool, limit, False)
        self.world.live(self.model.pool(pool).rests_until - self.model.now)
        self.work(worker, 9, 3, "good", 0)

    @rule(job=st.sampled_from(JOBS))
    def promote(self, job: str) -> None:
        verdict, place = self.raw.call("promote", job, *HOME[job])
        assert (verdict.decode(), place.decode()) == self.model.promote(job, *HOME[job])

    @rule(job=st.sampled_from(JOBS))
    def cancel(self, job: str) -> None:
        assert self.raw.call("cancel", job).decode() == self.model.cancel(job)

    @rule(
        tenant=st.sampled_from(TENANTS),
        slots=st.sampled_from([3, 4, 2, 1, 0]),
        weight=st.sampled_from([0.5, 1.0, 3.0]),
        paused=SELDOM,
    )
    def set_tenant(self, tenant: str, slots: int, weight: float, paused: bool) -> None:
        self.raw.call("set_tenant", tenant, slots, weight, int(paused))
        self.model.set_tenant(tenant, 0 if paused else slots, weight)

    @rule(pool=st.sampled_from(POOLS), limit=st.sampled_from([9, 5, 3, 2, 1, 0]), paused=SELDOM)
    def set_pool(self, pool: str, limit: int, paused: bool) -> None:
        self.raw.call("set_pool", pool, limit, int(paused))
        self.model.set_pool(pool, limit, paused=paused)

    @rule(
        worker=st.sampled_from(WORKERS),
        room=st.integers(0, 9),
        ends=SOME_ENDS,
        reply_lost=st.booleans(),
        waits=st.booleans(),
    )
    def turn(self, worker: str, room: int, ends: list[str], reply_lost: bool, waits: bool) -> None:
        """Its reply may be lost: then anything may happen before the worker asks again."""
        if waits:
            self.world.live_through_the_wait()
        held = self.world.look_at_its_clock(worker)
        settled = tuple(ended(grant, how) for grant, how in zip(held, ends, strict=False) if how != "keep")
        self.world.turn(worker, room, settled, reply_lost=reply_lost)

    @rule(worker=st.sampled_from(WORKERS))
    def hear(self, worker: str) -> None:
        self.world.hear(worker)

    @rule(job=st.sampled_from(JOBS), delay=DELAYS, between=st.sampled_from(WORKERS))
    def submit_whose_reply_is_lost(self, job: str, delay: int, between: str) -> None:
        """It is sent again after a worker took its turn: joined, whatever became of the job."""
        given = (job, *HOME[job], "bulk", delay)
        self.submit([(job, "bulk", delay)], False)
        self.work(between, 1, 1, "done", 0)
        assert self.raw.submit(given, again=False) == [self.model.submit(*given, again=False)]
        self.model.end()

    @rule(job=st.sampled_from(JOBS), between=st.sampled_from(WORKERS))
    def cancel_whose_reply_is_lost(self, job: str, between: str) -> None:
        self.cancel(job)
        self.world.heartbeat(between)
        self.cancel(job)

    @rule(worker=st.sampled_from(WORKERS), ends=SOME_ENDS, filled=st.booleans())
    def drain_is_undone(self, worker: str, ends: list[str], filled: bool) -> None:
        """What waits is dropped, what runs may end, nothing is granted; then the store brings jobs again."""
        known = sorted(self.model.jobs)
        assert self.raw.call("close") == self.model.drain()
        while self.raw.call("forget", 20, *TENANTS):
            pass
        self.model.hear()
        self.turn(worker, 9, ends, False, False)
        self.raw.call("reopen")
        self.model.reopen()
        if filled and known:
            self.submit([(job, "bulk", 0) for job in known], False)

    @rule(worker=st.sampled_from(WORKERS))
    def heartbeat(self, worker: str) -> None:
        self.world.heartbeat(worker)

    # --- time ----------------------------------------------------------------------------------------

    @rule(ms=A_WHILE)
    def time_passes_and_nobody_calls(self, ms: int) -> None:
        """For long only where all are dead or cut off. Who calls next finds what came due, or takes it for a jump."""
        self.world.go_on(ms)

    @rule(ms=A_WHILE, silent=st.sets(st.sampled_from(WORKERS)))
    def time_passes(self, ms: int, silent: set[str]) -> None:
        """Who is silent has died, is frozen or cut off: its leases run out; it may settle them late."""
        self.world.live(ms, silent)

    @rule(by_ms=STEPS, waits=st.booleans(), silent=st.sets(st.sampled_from(WORKERS)))
    def clock_is_set(self, by_ms: int, waits: bool, silent: set[str]) -> None:
        """A small step is not seen; those who hold leases renew in time before and after it."""
        self.world.call_epoch()
        if self.world.is_seen(by_ms):
            self.world.set_clock(by_ms)
            if waits:
                self.world.call_epoch()
                self.world.live_through_the_wait(silent)
        else:
            self.world.reach_everyone()
            self.world.set_clock(by_ms)
            self.world.reach_everyone()

    # --- faults --------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.stale)
    @rule(data=st.data())
    def frozen_worker_settles_late(self, data: Any) -> None:
        worker, grant = data.draw(st.sampled_from(self.world.stale))
        how = data.draw(st.sampled_from(["done", "later", "back", *SIGNALS]))
        self.world.ask(f"thawed {worker}", 0, (ended(grant, how),))

    @rule(registers=st.sets(st.sampled_from(WORKERS)), filled=st.booleans())
    def data_is_lost(self, registers: set[str], filled: bool) -> None:
        """FLUSHALL: grants wait; workers that live register again, some at once; the store brings limits and jobs."""
        known = sorted(self.model.jobs)
        self.raw.client.flushall()
        self.model.forget()
        for hands in self.world.hands.values():
            if hands.unheard is not None:
                hands.unheard.kept_until = None
        self.world.call_epoch()
        for worker in sorted(registers):
            self.world.heartbeat(worker)
        for tenant in TENANTS:
            self.set_tenant(tenant, 2, 1.0, False)
        for pool in POOLS:
            self.set_pool(pool, 3, False)
        if filled and known:
            self.submit([(job, "bulk", 0) for job in known], False)

    @precondition(lambda self: self.may_restart)
    @rule(lot=st.integers(0, 9))
    def server_is_killed_and_comes_back(self, lot: int) -> None:
        """It has all its data; that it has is not known, so grants wait. Seldom: it costs a fifth of a second."""
        if lot:
            return
        self.may_restart = False
        self.world.server.kill()
        start(self.world.server)
        self.model.restart()
        self.world.call_epoch()

    @rule()
    def open(self) -> None:
        """The wait of a lifetime is ended by one who knows that all that live were heard."""
        self.world.reach_everyone()
        self.raw.call("open")
        self.model.open()

    # --- after every step ----------------------------------------------------------------------------

    @invariant()
    def both_are_in_the_same_state(self) -> None:
        check_lifetime(self.raw, self.model)
        check_pace(self.raw, self.model)
        check_places(self.raw, self.model)
        check_turns(self.raw, self.model)
        check_rings(self.raw, self.model)


def start(server: Clocked) -> None:
    # It never waits for the disk: the tests kill the process, not the machine.
    server.start("--appendfsync", "no")


@pytest.fixture
def raw(clocked: Clocked) -> Iterator[Raw]:
    clocked.kill()
    start(clocked)
    raw = Raw(clocked.url)
    yield raw
    raw.close()


@pytest.mark.rule("I1", "I4", "I5", "I6", "S1", "S3", "S6", "S7")
@pytest.mark.timeout(1800)
def test_whatever_happens_the_scheduler_does_what_the_model_allows(raw: Raw, clocked: Clocked, is_long: bool) -> None:
    run_state_machine_as_test(
        lambda: Machine(raw, clocked),
        settings=settings(
            max_examples=1000 if is_long else 80,
            stateful_step_count=60 if is_long else 40,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
