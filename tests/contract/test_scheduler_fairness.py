"""Nobody waits for a large tenant's backlog: who comes with one job is next, counted in jobs that end."""

from collections import deque
from collections.abc import AsyncIterator

import pytest

from callspool.domain.job import Job, Lease
from tests.fixtures.bench import Bench, done

LIMIT = 32
SMALL = [f"small-{n}" for n in range(40)]


class Account:
    """An account in which a tenant may take every place, and does. All jobs last equally long: the oldest ends next."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._worker = bench.worker()
        self._running = deque[Lease]()

    async def fill(self, backlog: int) -> None:
        """Let the large tenant take all places, with so many more jobs behind."""
        await self._bench.limits("large", *SMALL, slots=1000, limit=LIMIT)
        await self.submit("large", LIMIT + backlog)
        self._running += (await self._worker.turn([], 100)).leases
        assert [lease.job.tenant for lease in self._running] == ["large"] * LIMIT

    async def submit(self, tenant: str, many: int = 1) -> None:
        await self._bench.producer.submit_many([(Job(f"{tenant}:{n}", "main", tenant), None) for n in range(many)])

    async def next_tenants(self, ends: int, at_once: int = 1) -> list[str]:
        """Let so many jobs end, and return whose are granted for them, in their order."""
        granted: list[str] = []
        while len(granted) < ends:
            settled = [done(self._running.popleft()) for _ in range(at_once)]
            leases = (await self._worker.turn(settled, at_once)).leases
            assert len(leases) == at_once  # the large one always has more
            self._running += leases
            granted += [lease.job.tenant for lease in leases]
        return granted


@pytest.fixture
async def account(valkey: str) -> AsyncIterator[Account]:
    bench = Bench(valkey)
    await bench.producer.open()
    yield Account(bench)
    await bench.close()


@pytest.mark.rule("I6")
async def test_jobs_of_small_tenants_behind_a_hundred_thousand_are_the_next_to_start(account: Account) -> None:
    await account.fill(100_000)
    for tenant in SMALL[:3] * 2:
        await account.submit(tenant)
        assert (await account.next_tenants(2)).count(tenant) == 1
        await account.next_tenants(LIMIT)  # it ends, and is idle: it is owed nothing for that
    for tenant in SMALL:
        await account.submit(tenant)
    granted = await account.next_tenants(len(SMALL) + 1)
    assert sorted(granted) == sorted(["large", *SMALL])


@pytest.mark.rule("I6")
async def test_they_are_where_many_jobs_end_at_once(account: Account) -> None:
    await account.fill(2_000)
    for tenant in SMALL:
        await account.submit(tenant)
    granted = await account.next_tenants(48, at_once=8)
    assert set(granted[:48]) == {"large", *SMALL}


@pytest.mark.rule("I6")
async def test_one_that_comes_with_a_backlog_of_its_own_shares_from_then_on_and_delays_nobody(account: Account) -> None:
    """It is owed nothing for the time before it came."""
    await account.fill(2_000)
    await account.submit("small-1", 1_000)
    granted = await account.next_tenants(60)
    assert abs(granted.count("large") - granted.count("small-1")) <= 2
    await account.submit("small-0")
    granted = await account.next_tenants(91)
    assert "small-0" in granted[:3]
    assert abs(granted.count("large") - granted.count("small-1")) <= 2
