"""A rolling upgrade under load: workers of the oldest library and of today's at once, with all that can go wrong."""

import random
import threading
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic

import pytest

from tests.contract.test_scheduler_upgrade import OLDER
from tests.fixtures.raw import End, Grant, Raw, Request

TENANTS = {f"t{n}": 3 for n in range(6)}
POOLS = {"p0": 7, "p1": 6}
JOBS = 400
"""Of each version."""
AT_REST = {"epoch", "seq", "idle", "versions", "pools", "tenants"} | {
    *(f"tenant:{name}" for name in TENANTS),
    *(f"pool:{name}" for name in POOLS),
}


@dataclass
class Ledger:
    """What the workers of both versions know together. A lease that nobody works on is not in it."""

    running: dict[str, Grant] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    stopping: set[str] = field(default_factory=set)
    """Cancelled while they ran: how they end is up to who comes first."""
    handed_over: deque[Grant] = field(default_factory=deque)
    """Leases that any worker may settle."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, grant: Grant) -> None:
        """Have a worker begin: of no job two at once, none that has ended, and no more than the limits."""
        with self.lock:
            assert grant.job not in self.running
            assert grant.job not in self.ended
            self.running[grant.job] = grant
            tenants = Counter(one.tenant for one in self.running.values())
            pools = Counter(one.pool for one in self.running.values())
        assert tenants <= Counter(TENANTS)
        assert pools <= Counter(POOLS)

    def stop(self, grant: Grant) -> None:
        """Have its worker stop, before it says so."""
        with self.lock:
            del self.running[grant.job]

    def end(self, job: str) -> None:
        """Note that it was heard: this job is no more."""
        with self.lock:
            self.ended[job] += 1


class Side:
    """Workers of one version, in a thread."""

    def __init__(self, name: str, raw: Raw, ledger: Ledger) -> None:
        self._name, self._raw, self._ledger = name, raw, ledger
        self._random = random.Random(name)
        self._jobs = [f"{name}{n}" for n in range(JOBS)]
        self._held: list[Grant] = []
        self._vanished: list[Grant] = []
        """What workers held that went away without a word."""
        self._requests = 0
        self.settled_of_others = 0
        self.most = Counter[str]()

    def work(self) -> None:
        """Work until nothing is left."""
        until, left = monotonic() + 30, deque(self._jobs)
        while True:
            assert monotonic() < until
            self._submit([left.popleft() for _ in range(min(8, len(left)))])
            self._fault()
            due_ms = self._turn()
            self._look()
            if (
                not (left or self._held or self._ledger.handed_over or self._vanished)
                and due_ms < 0
                and not self._waits()
            ):
                return
            if not self._held and due_ms:
                self._raw.client.blpop([self._raw.key(f"wake:{self._name}")], timeout=0.01)

    def _waits(self) -> bool:
        return self._raw.client.exists(*(self._raw.key(f"lines:{tenant}") for tenant in TENANTS)) > 0

    def _submit(self, jobs: list[str]) -> None:
        pick = self._random.choice
        if jobs:
            self._raw.submit(*((job, pick([*POOLS]), pick([*TENANTS]), "bulk", pick([0, 0, 0, 4])) for job in jobs))

    def _fault(self) -> None:
        match self._random.randrange(12):
            case 0:  # a worker is granted something, and dies
                request = Request(f"{self._name}:{self._requests}:lost", f"{self._name}-dead", 2, lease_ms=20)
                self._vanished += self._raw.turn(request)[1]
            case 1:  # someone changes their mind, often of what the other version runs
                with self._ledger.lock:
                    known = [*self._ledger.running, *self._jobs[-4:]]
                job = self._random.choice(known)
                match self._raw.call("cancel", job):
                    case b"running":
                        self._ledger.stopping.add(job)
                    case b"waiting" | b"deferred":
                        self._ledger.end(job)
            case 2:  # a dead worker was only frozen, and settles what is another's by now
                self._vanished = [grant for grant in self._vanished if not self._settle_late(grant)]

    def _settle_late(self, grant: Grant) -> bool:
        if self._raw.client.hget(self._raw.key(f"job:{grant.job}"), "token") == grant.token.encode():
            return False  # nobody has found yet that its lease ran out
        self._requests += 1
        self._raw.turn(Request(f"{self._name}:{self._requests}:late", f"{self._name}-late", 0, (done(grant),)))
        return True

    def _turn(self) -> int:
        """Renew, settle some, claim; return when something comes due."""
        with self._ledger.lock:
            if self._ledger.handed_over:
                self._held.append(self._ledger.handed_over.popleft())
        assert "lost" not in self._raw.renew(self._name, self._held)
        self._random.shuffle(self._held)
        ending, self._held = self._held[:3], self._held[3:]
        if ending and self._random.random() < 0.3:
            self._ledger.handed_over.append(ending.pop())
        ends = []
        for grant in ending:
            self._ledger.stop(grant)
            self.settled_of_others += not grant.token.startswith(self._name)
            is_done = self._random.random() < 0.8
            ends.append(done(grant) if is_done else End(grant.job, grant.token, "defer", self._random.choice([0, 3])))
        self._requests += 1
        request = Request(f"{self._name}:{self._requests}", self._name, 12 - len(self._held), tuple(ends))
        due_ms, grants = self._raw.turn(request)
        if grants and self._random.random() < 0.1:
            assert self._raw.turn(request)[1] == grants  # the reply was lost
        for end in ends:
            if end.verdict == "done":
                self._ledger.end(end.job)
        for grant in grants:
            self._ledger.begin(grant)
        self._held += grants
        return due_ms

    def _look(self) -> None:
        """See what the server holds at one moment, leases of the dead among it."""
        limits = {f"held:t:{name}": slots for name, slots in TENANTS.items()}
        limits |= {f"held:p:{name}": limit for name, limit in POOLS.items()}
        pipe = self._raw.client.pipeline(transaction=True)
        for name in limits:
            pipe.scard(self._raw.key(name))
        held = Counter(dict(zip(limits, pipe.execute(), strict=True)))
        assert held <= Counter(limits)
        self.most |= held


def done(grant: Grant) -> End:
    return End(grant.job, grant.token, signal="ok", latency_ms=50)


@pytest.mark.rule("I1", "I2", "I4", "I5")
def test_workers_of_two_versions_at_once_exceed_no_limit_and_end_each_job_once(valkey: str) -> None:
    ledger = Ledger()
    raws = [Raw(valkey, version=OLDER), Raw(valkey)]
    raws[1].call("open")
    for tenant, slots in TENANTS.items():
        raws[1].call("set_tenant", tenant, slots, 1, 0)
    for pool, limit in POOLS.items():
        raws[1].call("set_pool", pool, limit, 0)
    sides = [Side(name, raw, ledger) for name, raw in zip(("old", "new"), raws, strict=True)]
    with ThreadPoolExecutor(2) as threads:
        for working in [threads.submit(side.work) for side in sides]:
            working.result()

    jobs = {f"{name}{n}" for name in ("old", "new") for n in range(JOBS)}
    assert {job for job in jobs if ledger.ended[job] != 1} <= ledger.stopping
    assert max(ledger.ended.values()) == 1
    # The older one leaves turns of which it knows nothing; today's forgets them with the tenant's next job.
    left = {key for key in raws[1].lasting_keys() if key != "several" and not key.startswith("turns:")}
    assert left <= AT_REST
    # It was not for want of trying.
    most = sides[0].most | sides[1].most
    assert {most[f"held:t:{tenant}"] for tenant in TENANTS} == {3}
    assert [most[f"held:p:{pool}"] for pool in POOLS] == [7, 6]
    assert all(side.settled_of_others > 10 for side in sides)
    assert len(ledger.stopping) > 1
    for raw in raws:
        raw.close()
