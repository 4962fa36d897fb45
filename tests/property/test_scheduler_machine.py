"""The real scheduler beside the model: any calls in any order, with faults, and after each step the same state.

Time passes by moving what is due into the past: then the next turn finds it, as it would after a wait.
"""

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

from callspool.scheduler.embedded import Embedded
from tests.fixtures.raw import End, Grant, Raw, Request
from tests.model.scheduler import Model

POOLS = ["p0", "p1"]
TENANTS = ["t0", "t1", "t2"]
JOBS = [f"j{n}" for n in range(60)]
WORKERS = ["w0", "w1", "w2"]
LANES = st.sampled_from(["bulk", "bulk", "interactive"])
DELAYS = st.sampled_from([0, 0, 0, 600_000])

home = {job: (POOLS[n % 2], TENANTS[n % 3]) for n, job in enumerate(JOBS)}
"""A job's id is its whole payload: pool and tenant go with it."""


class Machine(RuleBasedStateMachine):
    """One example: calls and faults."""

    def __init__(self, raw: Raw, server: Embedded) -> None:
        super().__init__()
        self.raw = raw
        self.server = server
        self.may_restart = True
        self.raw.client.flushall()
        self.model = Model()
        self.hands: dict[str, list[Grant]] = {worker: [] for worker in WORKERS}
        """What each worker holds, and trusts."""
        self.stale: list[tuple[str, Grant]] = []
        """What a worker that died or froze held."""
        self.requests = 0
        self.unheard: dict[str, tuple[Request, tuple[Grant, ...] | None]] = {}
        """Requests whose reply was lost, and what it was; None: the server does not know it any more either."""

    @initialize(slots=st.integers(1, 3), limit=st.integers(1, 5))
    def begin(self, slots: int, limit: int) -> None:
        """Give everybody limits; there is no older worker."""
        self.open()
        for tenant in TENANTS:
            self.set_tenant(tenant, slots, 1.0, False)
        for pool in POOLS:
            self.set_pool(pool, limit, False)

    # --- calls ---------------------------------------------------------------------------------------

    @rule(jobs=st.lists(st.tuples(st.sampled_from(JOBS), LANES, DELAYS), min_size=1, max_size=20), again=st.booleans())
    def submit(self, jobs: list[tuple[str, str, int]], again: bool) -> None:
        given = [(job, *home[job], lane, delay) for job, lane, delay in jobs]
        expected = [self.model.submit(*one, again=again) for one in given]
        assert self.raw.submit(*given, again=again) == expected

    @rule(line=st.integers(0, 5), interactive=st.integers(0, 10))
    def submit_a_whole_line(self, line: int, interactive: int) -> None:
        """Ten jobs of one tenant in one pool."""
        self.submit([(f"j{n * 6 + line}", "interactive" if n < interactive else "bulk", 0) for n in range(10)], False)

    @rule(worker=st.sampled_from(WORKERS), room=st.integers(1, 4), turns=st.integers(2, 12))
    def work_for_a_while(self, worker: str, room: int, turns: int) -> None:
        """Turn after turn, each ending what the one before was granted."""
        self.hear(worker)
        for _ in range(turns):
            settled = tuple(ended(grant, "done") for grant in self.hands[worker])
            self.hands[worker] = list(self.ask(worker, room, settled))

    @rule(job=st.sampled_from(JOBS))
    def promote(self, job: str) -> None:
        verdict, place = self.raw.call("promote", job, *home[job])
        assert (verdict.decode(), place.decode()) == self.model.promote(job, *home[job])

    @rule(job=st.sampled_from(JOBS))
    def cancel(self, job: str) -> None:
        assert self.raw.call("cancel", job).decode() == self.model.cancel(job)

    @rule(
        tenant=st.sampled_from(TENANTS),
        slots=st.integers(0, 4),
        weight=st.sampled_from([0.5, 1.0, 3.0]),
        paused=st.booleans(),
    )
    def set_tenant(self, tenant: str, slots: int, weight: float, paused: bool) -> None:
        self.raw.call("set_tenant", tenant, slots, weight, int(paused))
        self.model.set_tenant(tenant, 0 if paused else slots, weight)

    @rule(pool=st.sampled_from(POOLS), limit=st.integers(0, 6), paused=st.booleans())
    def set_pool(self, pool: str, limit: int, paused: bool) -> None:
        self.raw.call("set_pool", pool, limit, int(paused))
        self.model.set_pool(pool, limit, paused=paused)

    @rule(
        worker=st.sampled_from(WORKERS),
        room=st.integers(0, 6),
        ends=st.lists(st.sampled_from(["done", "done", "later", "back", "pause", "keep"]), max_size=6),
        reply_lost=st.booleans(),
    )
    def turn(self, worker: str, room: int, ends: list[str], reply_lost: bool) -> None:
        """Its reply may be lost: then anything may happen before the worker asks again."""
        self.hear(worker)
        held = self.hands[worker]
        chosen = [(grant, how) for grant, how in zip(held, ends, strict=False) if how != "keep"]
        settled = tuple(ended(grant, how) for grant, how in chosen)
        grants = self.ask(worker, room, settled)
        gone = {grant.token for grant, _ in chosen}
        self.hands[worker] = [grant for grant in held if grant.token not in gone]
        if reply_lost:
            # One that did nothing is not kept: it is done when it comes again.
            self.unheard[worker] = self.last_request, grants if grants or settled else None
        else:
            self.hands[worker] += grants

    def ask(self, worker: str, room: int, ends: tuple[End, ...]) -> tuple[Grant, ...]:
        self.requests += 1
        self.last_request = Request(f"r{self.requests}", worker, room, ends)
        _, grants = self.raw.turn(self.last_request)
        self.model.turn(ends, room, grants)
        return grants

    @rule(worker=st.sampled_from(WORKERS))
    def hear(self, worker: str) -> None:
        """Ask again what was not answered."""
        if worker not in self.unheard:
            return
        request, expected = self.unheard.pop(worker)
        _, grants = self.raw.turn(request)
        if expected is None:
            self.model.turn(request.ends, request.room, grants)
        else:
            assert grants == expected
        self.hands[worker] += grants

    @rule(job=st.sampled_from(JOBS), delay=DELAYS, between=st.sampled_from(WORKERS))
    def submit_whose_reply_is_lost(self, job: str, delay: int, between: str) -> None:
        """It is sent again after a worker took its turn: joined, whatever became of the job."""
        given = (job, *home[job], "bulk", delay)
        self.submit([(job, "bulk", delay)], False)
        self.work_for_a_while(between, 1, 1)
        assert self.raw.submit(given, again=False) == [self.model.submit(*given, again=False)]

    @rule(job=st.sampled_from(JOBS), between=st.sampled_from(WORKERS))
    def cancel_whose_reply_is_lost(self, job: str, between: str) -> None:
        self.cancel(job)
        self.heartbeat(between)
        self.cancel(job)

    @rule(worker=st.sampled_from(WORKERS))
    def heartbeat(self, worker: str) -> None:
        held = self.hands[worker]
        verdicts = self.raw.renew(worker, held) if held else []
        assert verdicts == self.model.renew(held)
        self.hands[worker] = [grant for grant, verdict in zip(held, verdicts, strict=True) if verdict != "lost"]

    # --- faults --------------------------------------------------------------------------------------

    @rule(worker=st.sampled_from(WORKERS))
    def worker_dies_and_its_leases_run_out(self, worker: str) -> None:
        _, unheard = self.unheard.pop(worker, (None, None))
        for grant in [*self.hands[worker], *(unheard or ())]:
            job = self.model.jobs.get(grant.job)
            if job is not None and job.place == "running" and job.token == grant.token:
                job.expired = True
                self.in_the_past("leases", grant.job)
            self.stale.append((worker, grant))
        self.hands[worker] = []

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def frozen_worker_settles_late(self, data: Any) -> None:
        worker, grant = data.draw(st.sampled_from(self.stale))
        how = data.draw(st.sampled_from(["done", "later", "back", "pause"]))
        self.ask(worker, 0, (ended(grant, how),))

    @rule(job=st.sampled_from(JOBS))
    def deferral_comes_due(self, job: str) -> None:
        known = self.model.jobs.get(job)
        if known is not None and known.place == "deferred":
            known.due = True
            self.in_the_past("due", job)

    @rule(pool=st.sampled_from(POOLS))
    def rest_of_a_pool_ends(self, pool: str) -> None:
        if self.model.pool(pool).resting:
            self.raw.client.hset(self.raw.key(f"pool:{pool}"), "until_ms", 1)
            self.in_the_past("paused", pool)
            self.ask("clock", 0, ())  # a turn notices
            self.model.pool(pool).resting = False

    def in_the_past(self, name: str, member: str) -> None:
        self.raw.client.zadd(self.raw.key(name), {member: 1})

    @rule(silent=st.sets(st.sampled_from(WORKERS), max_size=2))
    def data_is_lost(self, silent: set[str]) -> None:
        """FLUSHALL: grants wait, workers that live register again, limits and jobs come from the store."""
        self.raw.client.flushall()
        self.model.forget()
        self.unheard = {worker: (request, None) for worker, (request, _) in self.unheard.items()}
        self.raw.call("epoch")
        for worker in WORKERS:
            if worker in silent:  # it cannot reach the server: by its own clock its leases are over before the wait is
                self.stale += [(worker, grant) for grant in self.hands[worker]]
                self.hands[worker] = []
                self.unheard.pop(worker, None)
            else:
                self.heartbeat(worker)
        for tenant in TENANTS:
            self.set_tenant(tenant, 2, 1.0, False)
        for pool in POOLS:
            self.set_pool(pool, 3, False)

    @precondition(lambda self: self.may_restart)
    @rule(lot=st.integers(0, 9))
    def server_is_killed_and_comes_back(self, lot: int) -> None:
        """It has all its data; that it has is not known, so grants wait. Seldom: it costs a fifth of a second."""
        if lot:
            return
        self.may_restart = False
        self.server.kill()
        self.server.start()
        self.raw.call("epoch")
        self.model.mourning = True

    @rule()
    def open(self) -> None:
        """The wait after a loss ends."""
        self.raw.call("open")
        self.model.mourning = False

    # --- after every step ----------------------------------------------------------------------------

    @invariant()
    def each_job_is_in_one_place_and_no_slot_is_leaked(self) -> None:
        model, raw = self.model, self.raw
        pipe = raw.client.pipeline(transaction=False)
        for job in JOBS:
            pipe.hmget(raw.key(f"job:{job}"), "place", "token")
        pipe.zrange(raw.key("leases"), 0, -1)
        pipe.zrange(raw.key("due"), 0, -1)
        for tenant in TENANTS:
            pipe.smembers(raw.key(f"held:t:{tenant}"))
        for pool in POOLS:
            pipe.smembers(raw.key(f"held:p:{pool}"))
        *hashes, leases, due, t0, t1, t2, p0, p1 = pipe.execute()
        for job, (place, token) in zip(JOBS, hashes, strict=True):
            known = model.jobs.get(job)
            assert (place.decode() if place else None) == (known.place if known else None), job
            assert (token.decode() if token else "") == (known.token if known else ""), job

        def those(place: str, **at: str) -> set[bytes]:
            return {
                name.encode()
                for name, job in model.jobs.items()
                if job.place == place and all(getattr(job, key) == value for key, value in at.items())
            }

        assert set(leases) == those("running")
        assert set(due) == those("deferred")
        for tenant, held in zip(TENANTS, (t0, t1, t2), strict=True):
            assert set(held) == those("running", tenant=tenant)
        for pool, held in zip(POOLS, (p0, p1), strict=True):
            assert set(held) == those("running", pool=pool)

    @invariant()
    def the_rings_hold_exactly_those_who_can_run(self) -> None:
        model, raw = self.model, self.raw
        pipe = raw.client.pipeline(transaction=False)
        for pool in POOLS:
            pipe.zrange(raw.key(f"ring:{pool}"), 0, -1)
            for tenant in TENANTS:
                pipe.zrange(raw.key(f"line:{pool}:{tenant}"), 0, -1)
        pipe.zrange(raw.key("ring"), 0, -1)
        *answers, ring = pipe.execute()
        for pool in POOLS:
            in_ring, *lines = answers[:4]
            del answers[:4]
            assert {name.decode() for name in in_ring} == {name for name in TENANTS if model.can_run(pool, name)}
            for tenant, line in zip(TENANTS, lines, strict=True):
                assert [name.decode() for name in line] == model.line(pool, tenant)
        able = {pool for pool in POOLS if model.has_room(pool) and any(model.can_run(pool, one) for one in TENANTS)}
        assert {name.decode() for name in ring} == able


def ended(grant: Grant, how: str) -> End:
    """Return how a worker ends a job."""
    match how:
        case "later":
            return End(grant.job, grant.token, "defer", 600_000)
        case "back":
            return End(grant.job, grant.token, "defer", 0)
        case "pause":
            return End(grant.job, grant.token, "defer", 0, 600_000)
    return End(grant.job, grant.token)


@pytest.fixture
def raw(valkey: str) -> Iterator[Raw]:
    raw = Raw(valkey)
    yield raw
    raw.close()


@pytest.mark.rule("I1", "I4", "I5", "I6", "S1", "S3", "S6", "S7")
@pytest.mark.timeout(1800)
def test_whatever_happens_the_scheduler_does_what_the_model_allows(
    raw: Raw, valkey_server: Embedded, is_long: bool
) -> None:
    run_state_machine_as_test(
        lambda: Machine(raw, valkey_server),
        settings=settings(
            max_examples=1000 if is_long else 100,
            stateful_step_count=60 if is_long else 40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
