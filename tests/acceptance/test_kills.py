"""Workers that vanish at any moment, thousands of times: no slot is ever leaked and no job lost."""

import asyncio
import contextlib
import multiprocessing
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from multiprocessing.process import BaseProcess
from time import monotonic

import pytest

from callspool.domain.job import Settlement, Verdict
from callspool.scheduler.consumer import ValkeyConsumer
from tests.fixtures.raw import End, Grant, Raw, Request

TENANTS = [f"t{n}" for n in range(100)]
POOLS = ["p0", "p1", "p2"]
SLOTS, LIMIT = 3, 90
LEASE_MS = 50
AT_REST = {"epoch", "seq", "idle", "versions", "pools", "tenants"} | {
    *(f"tenant:{name}" for name in TENANTS),
    *(f"pool:{name}" for name in POOLS),
}
"""The keys of a scheduler that has limits and no job."""


@pytest.fixture
def raw(valkey: str) -> Iterator[Raw]:
    raw = Raw(valkey)
    raw.call("open")
    for tenant in TENANTS:
        raw.call("set_tenant", tenant, SLOTS, 1, 0)
    for pool in POOLS:
        raw.call("set_pool", pool, LIMIT, 0)
    yield raw
    raw.close()


def held(raw: Raw) -> list[int]:
    """Return how many slots of each tenant, then of each pool, are taken."""
    pipe = raw.client.pipeline(transaction=False)
    for name in [*(f"held:t:{tenant}" for tenant in TENANTS), *(f"held:p:{pool}" for pool in POOLS)]:
        pipe.scard(raw.key(name))
    counts: list[int] = pipe.execute()
    return counts


class Mortals:
    """Workers of which each lives for one job's length at most and is killed somewhere in it."""

    def __init__(self, raw: Raw, seed: int) -> None:
        self.raw = raw
        self.random = random.Random(seed)
        self.lives = 0
        self.killed = 0
        self.frozen: list[tuple[str, tuple[Grant, ...]]] = []
        self.submitted: list[str] = []
        self.done: set[str] = set()
        """Jobs that some worker said were done, heard or not."""

    def submit(self, many: int) -> None:
        """Put jobs in, some of them for later."""
        jobs = []
        for _ in range(many):
            job_id = f"j{len(self.submitted)}"
            self.submitted.append(job_id)
            lane = self.random.choice(["bulk", "bulk", "interactive"])
            delay = self.random.choice([0, 0, 0, 5])
            jobs.append((job_id, self.random.choice(POOLS), self.random.choice(TENANTS), lane, delay))
        self.raw.submit(*jobs)

    def end(self, grant: Grant) -> End:
        """Say how a job ended."""
        if self.random.random() < 0.25:
            return End(grant.job, grant.token, "defer", self.random.choice([0, 3]))
        self.done.add(grant.job)
        return End(grant.job, grant.token)

    def live(self) -> None:
        """Let one worker live, and die with what it holds."""
        self.lives += 1
        name = f"w{self.lives}"
        _, grants = self.raw.turn(Request(f"{name}:1", name, self.random.randint(1, 6), lease_ms=LEASE_MS))
        if not grants:
            return
        match self.random.randrange(5):
            case 0:  # killed before it heard what it was granted, or before it did anything
                self.killed += 1
            case 1:  # killed when a heartbeat has just gone out
                self.raw.renew(name, grants, LEASE_MS)
                self.killed += 1
            case 2:  # killed after its settle, whose reply brought it new jobs that it never heard of
                self.raw.turn(Request(f"{name}:2", name, 3, self.ends(grants), LEASE_MS))
                self.killed += 1
            case 3:  # its settle's reply is lost; it asks again, and is killed with the new jobs
                request = Request(f"{name}:2", name, 3, self.ends(grants), LEASE_MS)
                self.raw.turn(request)
                self.raw.turn(request)
                self.killed += 1
            case 4:  # frozen; it goes on much later, as if nothing had been, and is killed then
                self.frozen.append((name, grants))
                if len(self.frozen) > 20:
                    self.thaw(*self.frozen.pop(0))

    def thaw(self, name: str, grants: tuple[Grant, ...]) -> None:
        """Let it settle its jobs, most of which are others' by now."""
        for grant in grants:
            if self.raw.client.hget(self.raw.key(f"job:{grant.job}"), "token") == grant.token.encode():
                self.done.add(grant.job)
        ends = tuple(End(grant.job, grant.token) for grant in grants)
        self.raw.turn(Request(f"{name}:late", name, 0, ends, LEASE_MS))
        self.killed += 1

    def ends(self, grants: tuple[Grant, ...]) -> tuple[End, ...]:
        """End some of the jobs; it is killed with the others."""
        return tuple(self.end(grant) for grant in grants if self.random.random() < 0.8)

    def drain(self) -> None:
        """Let a worker that is not killed do what is left."""
        ends: tuple[End, ...] = ()
        turns = 0
        while True:
            turns += 1
            next_due, grants = self.raw.turn(Request(f"last:{turns}", "last", 200, ends, LEASE_MS))
            ends = tuple(End(grant.job, grant.token) for grant in grants)
            self.done |= {grant.job for grant in grants}
            if not grants and next_due < 0:
                return
            if not grants:  # until a dead worker's lease ends, or a deferral
                self.raw.client.blpop([self.raw.key("wake:last")], timeout=max(0.001, next_due / 1000))


@pytest.mark.rule("S7", "F4", "F5", "I1", "I5")
@pytest.mark.timeout(600)
def test_ten_thousand_simulated_kills_leak_no_slot_and_lose_no_job(raw: Raw) -> None:
    mortals = Mortals(raw, seed=3)
    while mortals.killed < 10_000:
        if mortals.lives % 200 == 0:
            mortals.submit(200)
            counts = held(raw)
            assert max(counts[: len(TENANTS)]) <= SLOTS
            assert max(counts[len(TENANTS) :]) <= LIMIT
        mortals.live()
    mortals.drain()

    assert mortals.done == set(mortals.submitted)
    assert raw.lasting_keys() <= AT_REST
    # All slots can be taken again.
    raw.submit(*((f"n{n}", POOLS[n % 2], TENANTS[n % 100], "bulk", 0) for n in range(600)))
    _, grants = raw.turn(Request("after", "after", 600))
    assert len(grants) == 2 * LIMIT


PROCESS_LEASE = timedelta(seconds=1)
PROCESSES = 6
PROCESS_LIMIT = 6
"""Of a pool: the three together allow fewer jobs than the processes have room for, so it is reached."""
LONG = "long"
"""So begin the ids of jobs that last longer than a lease: without heartbeats they would never end."""


def _work(url: str, name: str) -> None:
    """What a worker process does, without the downloads: turns, heartbeats, jobs, most of some milliseconds."""
    asyncio.run(_turns(url, name))


async def _turns(url: str, name: str) -> None:
    consumer = ValkeyConsumer(url, worker_id=name, lease=PROCESS_LEASE)
    consumer.watch(lambda lease, why: None)
    settled: list[Settlement] = []
    while True:
        turn = await consumer.turn(settled, 4)
        settled = []
        for lease in turn.leases:
            is_long = lease.job.id.startswith(LONG)
            await asyncio.sleep(1.3 * PROCESS_LEASE.total_seconds() if is_long else random.uniform(0.001, 0.01))
            verdict = Verdict.DEFER if random.random() < 0.1 else Verdict.DONE
            settled.append(Settlement(lease.job.id, lease.token, verdict))
        if not settled:
            await consumer.wait(timedelta(milliseconds=max(1, turn.next_due_ms or 200)))


class Fleet:
    """Worker processes; one that is killed is replaced."""

    def __init__(self, url: str) -> None:
        self._url = url
        # Forked: a process then costs milliseconds. Nothing of this one's is open or running in it.
        self._make = multiprocessing.get_context("fork")
        self._started = 0
        self._workers: list[BaseProcess] = []

    def start(self) -> None:
        """Start another worker."""
        self._started += 1
        worker = self._make.Process(target=_work, args=(self._url, f"process-{self._started}"), daemon=True)
        worker.start()
        self._workers.append(worker)

    def kill(self, chosen: random.Random) -> None:
        """Kill one with signal 9, wherever it is, and start another."""
        worker = self._workers.pop(chosen.randrange(len(self._workers)))
        worker.kill()
        worker.join()
        self.start()

    def close(self) -> None:
        """Kill all."""
        for worker in self._workers:
            worker.kill()
            worker.join()


@pytest.mark.rule("S7", "F4", "F5", "I1", "I5")
@pytest.mark.timeout(600)
def test_killed_worker_processes_leak_no_slot_and_lose_no_job(raw: Raw, valkey: str, is_long: bool) -> None:
    kills, chosen, submitted = 200 if is_long else 40, random.Random(5), 0
    for pool in POOLS:
        raw.call("set_pool", pool, PROCESS_LIMIT, 0)
    most = 0
    with contextlib.closing(Fleet(valkey)) as fleet:
        for _ in range(PROCESSES):
            fleet.start()
        for kill in range(kills):
            names = [f"{LONG}{kill}"] if kill % 16 == 0 else []
            names += [f"k{submitted + n}" for n in range(30)]
            submitted += len(names)
            raw.submit(*((name, chosen.choice(POOLS), chosen.choice(TENANTS), "bulk", 0) for name in names))
            until(lambda: raw.client.zcard(raw.key("leases")) > 0)
            counts = held(raw)
            assert max(counts[: len(TENANTS)]) <= SLOTS
            most = max(most, *counts[len(TENANTS) :])
            fleet.kill(chosen)
        until(lambda: raw.lasting_keys() <= AT_REST)
    assert most == PROCESS_LIMIT
    for pool in POOLS:
        raw.call("set_pool", pool, LIMIT, 0)
    assert sum(held(raw)) == 0
    raw.submit(*((f"n{n}", POOLS[n % 2], TENANTS[n % 100], "bulk", 0) for n in range(600)))
    _, grants = raw.turn(Request("after", "after", 600))
    assert len(grants) == 2 * LIMIT


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition that processes bring about."""
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "it did not come about"
