"""The scheduler as it should be, in plain Python: what each call must answer, and which grants are allowed.

It does not say which of several allowed jobs is granted: it takes the grants that were made and objects where one was
not allowed, where one was missing, or where a tenant was passed over too often.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.fixtures.raw import End, Grant
from tests.model.fairness import Fairness
from tests.model.lifetime import LEASE_MS, Lifetime
from tests.model.pace import Pool
from tests.model.turns import Turns


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
    until: int = 0
    """When its lease ends, or what it was put off for comes; the next turn puts it back."""
    changes: int = 0
    """Those of its pool when it was granted."""


@dataclass(slots=True)
class Tenant:
    """A tenant's limits."""

    slots: int = 0
    weight: float = 1.0


class Model:
    """All that the scheduler knows."""

    def __init__(self) -> None:
        self.now = 0
        """The server's clock, in ms."""
        self.lifetime = Lifetime()
        self.forget()

    def forget(self) -> None:
        """Lose everything."""
        self.jobs: dict[str, Job] = {}
        self.tenants: dict[str, Tenant] = {}
        self.pools: dict[str, Pool] = {}
        self.closed = False
        """It is being drained."""
        self.turns: dict[str, Turns] = {}
        self._fairness = Fairness()
        self._order = 0
        self.restart()

    def restart(self) -> None:
        """Be another process, which does not know whether it has all that was written."""
        self.lifetime.began = None

    @property
    def is_waiting(self) -> bool:
        """Whether a lifetime has begun that grants nothing yet."""
        return self.now < self.lifetime.opens

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
        has_slot = self.free(tenant) > 0 and self.next_pool(tenant) in {None, pool}
        return has_slot and bool(self.line(pool, tenant))

    def free(self, tenant: str) -> int:
        """Return how many of its slots are free; below zero where there are fewer than run."""
        return self.tenant(tenant).slots - self.running(tenant=tenant)

    def next_pool(self, tenant: str) -> str | None:
        """Return the pool that its last free slot is for; None: any."""
        return self.turns_of(tenant).next(self.free(tenant), self._fairness.interactive_in_a_row(tenant))

    def turns_of(self, tenant: str) -> Turns:
        """Return its turns."""
        return self.turns.setdefault(tenant, Turns())

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

    def _look_at_lines(self, tenant: str) -> None:
        pools = {job.pool for job in self.jobs.values() if (job.place, job.tenant) == ("waiting", tenant)}
        self.turns_of(tenant).lines_are(pools, self.now)

    # --- calls ---------------------------------------------------------------------------------------

    def hear(self) -> None:
        """Begin a call: each looks whether a new lifetime does."""
        self.lifetime.hear(self.now, [job.until for job in self.jobs.values() if job.place == "running"])

    def end(self) -> None:
        """End a call that may have changed who waits or what is free."""
        for tenant, turns in self.turns.items():
            turns.keep(self.next_pool(tenant), self.now)

    def open(self) -> None:
        """End the wait of a lifetime."""
        self.hear()
        self.lifetime.open()

    def drain(self) -> int:
        """Grant nothing more and forget what waits; return how many run."""
        self.hear()
        self.closed = True
        self._tick()
        self.jobs = {name: job for name, job in self.jobs.items() if job.place == "running"}
        for tenant in self.tenants:
            self._look_at_lines(tenant)
        return len(self.jobs)

    def reopen(self) -> None:
        """Grant again; a wait goes on."""
        self.hear()
        self.closed = False

    def submit(self, name: str, pool: str, tenant: str, lane: str, delay_ms: int, *, again: bool) -> tuple[str, str]:
        """Return the expected answer for one job of the call; `end` comes after the last."""
        self.hear()
        job = self.jobs.get(name)
        if job is None:
            job = self.jobs[name] = Job(pool, tenant, lane, "deferred", until=self.now + delay_ms)
            if delay_ms == 0:
                self._wait(job, new=True)
            return "accepted", job.place
        is_raised = lane == "interactive" and job.lane != lane
        if job.place == "running":
            job.again = job.again or again
        elif (job.place == "deferred" and delay_ms == 0) or (job.place == "waiting" and is_raised):
            job.lane = "interactive" if is_raised else job.lane
            self._wait(job, new=is_raised)
        return "joined", job.place

    def promote(self, name: str, pool: str, tenant: str) -> tuple[str, str]:
        """Return the expected answer."""
        self.hear()
        job = self.jobs.get(name)
        if job is None:
            job = self.jobs[name] = Job(pool, tenant, "interactive", "deferred")
            self._wait(job, new=True)
            self.end()
            return "accepted", "waiting"
        if job.place == "running":
            job.lane, job.again = "interactive", True
        elif (job.place, job.lane) != ("waiting", "interactive"):
            job.lane = "interactive"
            self._wait(job, new=True)
        self.end()
        return "joined", job.place

    def cancel(self, name: str) -> str:
        """Return the expected answer."""
        self.hear()
        job = self.jobs.get(name)
        if job is None:
            return "unknown"
        if job.place == "running":
            job.cancelled, job.again = True, False
            return "running"
        del self.jobs[name]
        self._look_at_lines(job.tenant)
        self.end()
        return job.place

    def set_tenant(self, name: str, slots: int, weight: float) -> None:
        """Change its limits; what it was owed by its old weight is forgotten."""
        self.hear()
        tenant = self.tenant(name)
        if weight != tenant.weight:
            self._fairness.forget_debts()
        tenant.slots, tenant.weight = slots, weight
        self.end()

    def set_pool(self, name: str, limit: int, *, paused: bool) -> None:
        """Change its limit."""
        self.hear()
        self.pool(name).set(limit, paused=paused)

    def renew(self, grants: Sequence[Grant]) -> list[str]:
        """Return what a heartbeat is told of each lease."""
        self.hear()
        verdicts = [self._renew(grant) for grant in grants]
        self.end()
        return verdicts

    def _renew(self, grant: Grant) -> str:
        job = self.jobs.get(grant.job)
        if job is not None and job.place == "running" and job.token == grant.token:
            job.until = self.now + LEASE_MS
            return "cancelled" if job.cancelled else "held"
        if not self.is_waiting:
            return "lost"
        if job is None:
            job = self.jobs[grant.job] = Job(grant.pool, grant.tenant, grant.lane, "running")
        job.pool, job.tenant, job.lane = grant.pool, grant.tenant, grant.lane
        job.place, job.token, job.until = "running", grant.token, self.now + LEASE_MS
        self._look_at_lines(job.tenant)
        job.changes = 0  # it was granted before all that the pool has learned since
        return "held"

    def turn(self, ends: Sequence[End], room: int, grants: Sequence[Grant]) -> int:
        """Take a turn and the grants that were its answer; return when something comes due, in ms (-1: never).

        Raises `AssertionError` where they were not allowed.
        """
        self.hear()
        self._tick()
        for end in ends:
            self._settle(end)
        for grant in grants:
            assert not self.is_waiting, f"{grant} in the wait of a lifetime"
            assert not self.closed, f"{grant} in a drain"
            self._grant(grant)
        assert len(grants) <= room
        if len(grants) < room and not self.is_waiting and not self.closed:
            assert not self.runnable(), (
                f"room for {room}, granted {len(grants)}, and these could run: {self.runnable()}"
            )
        self.end()
        return self._next_due()

    def _next_due(self) -> int:
        dates = [job.until for job in self.jobs.values() if job.place == "deferred"]
        dates += [pool.rests_until for pool in self.pools.values() if pool.rests_until]
        dates += [turns.kept[1] for turns in self.turns.values() if turns.kept]
        if self.is_waiting:
            dates.append(self.lifetime.opens)
        else:
            dates += [job.until for job in self.jobs.values() if job.place == "running"]
        return max(0, min(dates) - self.now) if dates else -1

    # --- moves ---------------------------------------------------------------------------------------

    def _wait(self, job: Job, *, new: bool = False) -> None:
        if new or not job.order:
            self._order += 1
            job.order = self._order
        job.place, job.token = "waiting", ""
        job.again, job.cancelled = False, False
        self._look_at_lines(job.tenant)
        if job.lane == "interactive":
            self.turns_of(job.tenant).click(job.pool)

    def _tick(self) -> None:
        # Each job keeps the place in the line that it had; those that had none come in the order of their dates.
        for name in self._expired():
            job = self.jobs[name]
            if job.cancelled and not job.again:
                del self.jobs[name]
            else:
                self._wait(job)
        for _, name in sorted((job.until, name) for name, job in self.jobs.items() if job.place == "deferred"):
            if self.jobs[name].until <= self.now:
                self._wait(self.jobs[name])
        for pool in self.pools.values():
            if pool.rests_until <= self.now:
                pool.rests_until = 0
        closed = {name for name, pool in self.pools.items() if pool.room == 0}
        for turns in self.turns.values():
            turns.tick(closed, self.now)

    def _expired(self) -> list[str]:
        """Return whose leases have ended: in the wait of a lifetime nobody's."""
        if self.is_waiting:
            return []
        leases = sorted((job.until, name) for name, job in self.jobs.items() if job.place == "running")
        expired = [name for until, name in leases if until <= self.now]
        if self.lifetime.young:  # of a time when the clock was ahead
            expired += [name for until, name in leases if until > self.now + LEASE_MS]
            self.lifetime.young = False
        return expired

    def _settle(self, end: End) -> None:
        job = self.jobs.get(end.job)
        if job is None or job.place != "running" or job.token != end.token:
            return  # a late worker changes nothing
        pool = self.pool(job.pool)
        is_news = job.changes == pool.changes
        delay_ms = pool.heed(end.signal, end.latency_ms, end.pause_ms, end.delay_ms, self.now, is_news=is_news)
        if not job.again and (job.cancelled or end.verdict == "done"):
            del self.jobs[end.job]
        elif end.verdict == "done" or job.again or delay_ms == 0:
            self._wait(job, new=end.verdict == "done")
        else:
            job.place, job.token, job.again, job.until = "deferred", "", False, self.now + delay_ms

    def _grant(self, grant: Grant) -> None:
        job = self.jobs[grant.job]
        assert job.place == "waiting", f"{grant.job} was {job.place}"
        assert (grant.pool, grant.tenant, grant.lane) == (job.pool, job.tenant, job.lane)
        others = self.runnable()
        assert (job.pool, job.tenant) in others, f"{grant.job}: no slot, or no room in its pool"
        interactive, bulk = (self.line(job.pool, job.tenant, lane) for lane in ("interactive", "bulk"))
        turns = self.turns_of(job.tenant)
        self._fairness.check_lane(job.tenant, grant.job, job.lane, interactive, bulk, elsewhere=bool(turns.waits))
        self._fairness.check_turn(job.pool, job.tenant, others, lambda name: self.tenant(name).weight)
        job.place, job.token, job.until = "running", grant.token, self.now + LEASE_MS
        job.changes, job.cancelled = self.pool(job.pool).changes, False
        turns.had_slot(job.pool, self.now, more_clicks=bool(set(interactive) - {grant.job}))
        self._look_at_lines(job.tenant)
        self._fairness.forget_all_but(self.runnable())
