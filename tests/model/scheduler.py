"""The scheduler as it should be, in plain Python: what each call must answer, and which grants are allowed.

It does not say which of several allowed jobs is granted: it takes the grants that were made and objects where one was
not allowed, where one was missing, or where a tenant was passed over too often.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.fixtures.raw import End, Grant

BULK_FLOOR = 5
"""Of a tenant's jobs in a pool at least one in so many is bulk, while it has both."""
BYPASS = 2
"""How often more than by its weight another tenant may go first: one grant is under way, one is rounding."""
POOL_BYPASS = 3


@dataclass(slots=True)
class Job:
    """A job that is known."""

    pool: str
    tenant: str
    lane: str
    place: str
    order: int = 0
    token: str = ""
    again: bool = False
    cancelled: bool = False
    expired: bool = False
    """Its lease has run out; the next turn puts it back."""
    due: bool = False
    """It was put off until a time that has come; the next turn puts it back."""


@dataclass(slots=True)
class Tenant:
    """A tenant's limits, and how it fared."""

    slots: int = 0
    weight: float = 1.0
    streak: int = 0
    passed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often, in this pool, that other tenant was served while this one could have been."""


@dataclass(slots=True)
class Pool:
    """A pool's limits."""

    limit: int = 0
    paused: bool = False
    resting: bool = False
    """Paused until a time that has not come."""
    passed: Counter[str] = field(default_factory=Counter)

    @property
    def room(self) -> int:
        """The most that may run in it."""
        return 0 if self.paused or self.resting else self.limit


class Model:
    """All that the scheduler knows."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Lose everything: a new lifetime begins."""
        self.jobs: dict[str, Job] = {}
        self.tenants: dict[str, Tenant] = {}
        self.pools: dict[str, Pool] = {}
        self.mourning = True
        self._order = 0

    # --- what may run --------------------------------------------------------------------------------

    def running(self, *, tenant: str | None = None, pool: str | None = None) -> int:
        """Return how many jobs run."""
        return sum(
            job.place == "running" and tenant in (None, job.tenant) and pool in (None, job.pool)
            for job in self.jobs.values()
        )

    def line(self, pool: str, tenant: str, lane: str | None = None) -> list[str]:
        """Return the jobs that wait there, in their order."""
        waiting = [
            (job.lane != "interactive", job.order, name)
            for name, job in self.jobs.items()
            if (job.place, job.pool, job.tenant) == ("waiting", pool, tenant) and lane in (None, job.lane)
        ]
        return [name for _, _, name in sorted(waiting)]

    def can_run(self, pool: str, tenant: str) -> bool:
        """Say whether the tenant has a job waiting there and a free slot for it. The pool's room is not looked at."""
        free = self.running(tenant=tenant) < self.tenant(tenant).slots
        return free and bool(self.line(pool, tenant))

    def has_room(self, pool: str) -> bool:
        """Say whether one more may run in the pool."""
        return self.running(pool=pool) < self.pool(pool).room

    def runnable(self) -> set[tuple[str, str]]:
        """Return the pools and tenants of which a job could be granted now."""
        lines = {(job.pool, job.tenant) for job in self.jobs.values() if job.place == "waiting"}
        return {(pool, tenant) for pool, tenant in lines if self.has_room(pool) and self.can_run(pool, tenant)}

    def tenant(self, name: str) -> Tenant:
        """Return it; unknown limits run nothing."""
        return self.tenants.setdefault(name, Tenant())

    def pool(self, name: str) -> Pool:
        """Return it; unknown limits run nothing."""
        return self.pools.setdefault(name, Pool())

    # --- calls ---------------------------------------------------------------------------------------

    def submit(self, name: str, pool: str, tenant: str, lane: str, delay_ms: int, *, again: bool) -> tuple[str, str]:
        """Return the expected answer."""
        job = self.jobs.get(name)
        if job is None:
            job = self.jobs[name] = Job(pool, tenant, lane, "deferred")
            if delay_ms == 0:
                self._wait(job, new=True)
            return "accepted", job.place
        if job.place == "running":
            job.again = job.again or again
        elif job.place == "deferred" and delay_ms == 0:
            self._wait(job)
        return "joined", job.place

    def promote(self, name: str, pool: str, tenant: str) -> tuple[str, str]:
        """Return the expected answer."""
        job = self.jobs.get(name)
        if job is None:
            job = self.jobs[name] = Job(pool, tenant, "interactive", "deferred")
            self._wait(job, new=True)
            return "accepted", "waiting"
        if job.place == "running":
            job.lane, job.again = "interactive", True
        elif (job.place, job.lane) != ("waiting", "interactive"):
            job.lane = "interactive"
            self._wait(job, new=True)
        return "joined", job.place

    def cancel(self, name: str) -> str:
        """Return the expected answer."""
        job = self.jobs.get(name)
        if job is None:
            return "unknown"
        if job.place == "running":
            job.cancelled, job.again = True, False
            return "running"
        del self.jobs[name]
        return job.place

    def set_tenant(self, name: str, slots: int, weight: float) -> None:
        """Change its limits; what it was owed by its old weight is forgotten."""
        tenant = self.tenant(name)
        if weight != tenant.weight:
            for one in self.tenants.values():
                one.passed.clear()
        tenant.slots, tenant.weight = slots, weight

    def set_pool(self, name: str, limit: int, *, paused: bool) -> None:
        """Change its limit. Ending a pause by hand ends a rest too."""
        pool = self.pool(name)
        if pool.paused and not paused:
            pool.resting = False
        pool.limit, pool.paused = limit, paused

    def renew(self, grants: Sequence[Grant]) -> list[str]:
        """Return what a heartbeat is told of each lease."""
        return [self._renew(grant) for grant in grants]

    def _renew(self, grant: Grant) -> str:
        job = self.jobs.get(grant.job)
        if job is not None and job.place == "running" and job.token == grant.token:
            job.expired = False
            return "cancelled" if job.cancelled else "held"
        if not self.mourning:
            return "lost"
        if job is None:
            job = self.jobs[grant.job] = Job(grant.pool, grant.tenant, grant.lane, "running")
        job.pool, job.tenant, job.lane = grant.pool, grant.tenant, grant.lane
        job.place, job.token, job.expired = "running", grant.token, False
        return "held"

    def turn(self, ends: Sequence[End], room: int, grants: Sequence[Grant]) -> None:
        """Take a turn and the grants that were its answer. Raises `AssertionError` where they were not allowed."""
        self._tick()
        for end in ends:
            self._settle(end)
        for grant in grants:
            assert not self.mourning, f"{grant} in the wait after a loss"
            self._grant(grant)
        assert len(grants) <= room
        if len(grants) < room and not self.mourning:
            assert not self.runnable(), (
                f"room for {room}, granted {len(grants)}, and these could run: {self.runnable()}"
            )

    # --- moves ---------------------------------------------------------------------------------------

    def _wait(self, job: Job, *, new: bool = False) -> None:
        if new or not job.order:
            self._order += 1
            job.order = self._order
        job.place, job.token = "waiting", ""
        job.again, job.cancelled, job.expired, job.due = False, False, False, False

    def _tick(self) -> None:
        # Expired leases come first; each job keeps the place in the line that it had.
        for name, job in sorted(self.jobs.items()):
            if job.place == "running" and job.expired and not self.mourning:
                if job.cancelled and not job.again:
                    del self.jobs[name]
                else:
                    self._wait(job)
        for _, job in sorted(self.jobs.items()):
            if job.place == "deferred" and job.due:
                self._wait(job)

    def _settle(self, end: End) -> None:
        job = self.jobs.get(end.job)
        if job is None or job.place != "running" or job.token != end.token:
            return  # a late worker changes nothing
        if end.pause_ms:
            self.pool(job.pool).resting = True
        if not job.again and (job.cancelled or end.verdict == "done"):
            del self.jobs[end.job]
        elif end.verdict == "done" or job.again or end.delay_ms == 0:
            self._wait(job, new=end.verdict == "done")
        else:
            job.place, job.token, job.again = "deferred", "", False

    def _grant(self, grant: Grant) -> None:
        job = self.jobs[grant.job]
        assert job.place == "waiting", f"{grant.job} was {job.place}"
        assert (grant.pool, grant.tenant, grant.lane) == (job.pool, job.tenant, job.lane)
        others = self.runnable()
        assert (job.pool, job.tenant) in others, f"{grant.job}: no slot, or no room in its pool"
        self._check_lane(grant.job, job)
        self._check_bypass(job, others)
        job.place, job.token, job.expired, job.cancelled = "running", grant.token, False, False
        self._reset_those_that_cannot_run()

    def _check_lane(self, name: str, job: Job) -> None:
        interactive, bulk = (self.line(job.pool, job.tenant, lane) for lane in ("interactive", "bulk"))
        first = interactive if job.lane == "interactive" else bulk
        assert name == first[0], f"{name} goes before {first[0]}"
        tenant = self.tenant(job.tenant)
        if interactive and bulk:
            is_bulks_turn = tenant.streak >= BULK_FLOOR - 1
            assert (job.lane == "bulk") == is_bulks_turn, (
                f"{name} is {job.lane}, after {tenant.streak} interactive ones"
            )
            tenant.streak = 0 if is_bulks_turn else tenant.streak + 1
        elif bulk and tenant.streak >= BULK_FLOOR - 1:
            tenant.streak = 0

    def _check_bypass(self, served: Job, others: set[tuple[str, str]]) -> None:
        pool = self.pool(served.pool)
        for name, waiting in others:
            if name == served.pool and waiting != served.tenant:
                one = self.tenant(waiting)
                one.passed[name, served.tenant] += 1
                times, share = one.passed[name, served.tenant], self.tenant(served.tenant).weight / one.weight
                assert times <= math.ceil(share) + BYPASS, f"{waiting} waits, {served.tenant} went first {times} times"
        for name in {name for name, _ in others} - {served.pool}:
            one_pool = self.pool(name)
            one_pool.passed[served.pool] += 1
            times = one_pool.passed[served.pool]
            assert times <= POOL_BYPASS, f"pool {name} waits, {served.pool} went first {times} times"
        pool.passed.clear()
        for key in [key for key in self.tenant(served.tenant).passed if key[0] == served.pool]:
            del self.tenant(served.tenant).passed[key]

    def _reset_those_that_cannot_run(self) -> None:
        able = self.runnable()
        pools = {pool for pool, _ in able}
        for name, tenant in self.tenants.items():
            for key in [key for key in tenant.passed if (key[0], name) not in able]:
                del tenant.passed[key]
        for name, pool in self.pools.items():
            if name not in pools:
                pool.passed.clear()
