"""A tenant with jobs in several accounts: none of them waits for ever behind the others, whoever keeps it full."""

from collections.abc import AsyncIterator, Callable
from itertools import count

import pytest

from callspool.domain.job import Job, Lane, Lease
from tests.fixtures.bench import Bench, done, next_leases

SEATS = 50


@pytest.fixture
async def bench(valkey: str) -> AsyncIterator[Bench]:
    """acme has three slots and a backlog in its own account; bravo may have a backlog in the other one."""
    bench = Bench(valkey)
    await bench.producer.open()
    await bench.limits("acme", slots=3)
    await bench.limits("bravo", slots=100)
    await bench.submit("acme", *(f"a{n}" for n in range(300)))
    yield bench
    await bench.close()


async def others(bench: Bench, jobs: int, limit: int) -> None:
    await bench.producer.set_pool("other", limit=limit, paused=False)
    await bench.producer.submit_many([(Job(f"b{n}", "other", "bravo"), None) for n in range(jobs)])


class Seats:
    """A worker's seats: the oldest job ends, and the seat asks again."""

    def __init__(self, bench: Bench, seats: int = SEATS) -> None:
        self.worker = bench.worker()
        self.seats = seats
        self.running: list[Lease] = []
        self.granted: list[str] = []

    def of(self, tenant: str) -> list[Lease]:
        return [lease for lease in self.running if lease.job.tenant == tenant]

    async def turn(self, *ended: Lease) -> None:
        self.running = [lease for lease in self.running if lease not in ended]
        turn = await self.worker.turn([done(lease) for lease in ended], self.seats - len(self.running))
        self.take(turn.leases)

    def take(self, leases: tuple[Lease, ...]) -> None:
        self.running += leases
        self.granted += [lease.job.id for lease in leases]

    async def ends_until(self, job: str, at_most: int, oldest: Callable[[], Lease] | None = None) -> None:
        """End one after the other until that one is granted."""
        for ends in count():
            if job in self.granted:
                return
            assert ends < at_most, f"{job} was not granted in {ends} ends"
            await self.turn(oldest() if oldest else self.running[0])
            assert len(self.of("acme")) <= 3


@pytest.mark.rule("I6")
@pytest.mark.parametrize(("limit", "seats"), [(2, SEATS), (100, SEATS), (100, 10)])
async def test_a_click_in_an_account_that_others_keep_busy_is_not_passed_over_for_the_tenants_own_backlog(
    bench: Bench, limit: int, seats: int
) -> None:
    await others(bench, 300, limit)
    desk = Seats(bench, seats)
    await desk.turn()
    await bench.producer.submit(Job("click", "other", "acme", Lane.INTERACTIVE))
    await desk.ends_until("click", at_most=30)


@pytest.mark.rule("I6")
async def test_bulk_too_has_its_turn_in_an_account_that_others_keep_full(bench: Bench) -> None:
    await others(bench, 300, 2)
    desk = Seats(bench)
    await desk.turn()
    await bench.producer.submit(Job("late", "other", "acme"))
    await desk.ends_until("late", at_most=60)


@pytest.mark.rule("I6")
async def test_bulk_in_one_account_does_not_starve_behind_clicks_in_another(bench: Bench) -> None:
    await others(bench, 300, 2)
    await bench.submit("acme", *(f"click-{n}" for n in range(100)), lane=Lane.INTERACTIVE)
    desk = Seats(bench)
    await desk.turn()
    await bench.producer.submit(Job("late", "other", "acme"))
    await desk.ends_until("late", at_most=60)


@pytest.mark.rule("I6")
async def test_a_slot_that_is_kept_in_vain_goes_on_and_never_more_than_one_is_kept(bench: Bench) -> None:
    """bravo's jobs in the other account last longer than anyone watches."""
    await others(bench, 2, 2)
    desk = Seats(bench)
    await desk.turn()
    await bench.producer.submit(Job("click", "other", "acme", Lane.INTERACTIVE))
    kept = 0
    while sum(job.startswith("a") for job in desk.granted) < 40:
        await desk.turn(desk.of("acme")[0])
        running = len(desk.of("acme"))
        assert running >= 2
        if running == 2:
            kept += 1
            why = (await bench.producer.why("a299")).sentence()
            assert why.startswith("The free slot of tenant acme is kept for account other, whose turn it is; it is")
            desk.take(await next_leases(desk.worker))  # the time it is kept for is over
    assert kept
    assert "click" not in desk.granted
    (lease, *_) = desk.of("bravo")
    await desk.turn(lease)
    await desk.ends_until("click", at_most=10, oldest=lambda: desk.of("acme")[0])


async def test_for_an_account_that_rests_a_slot_is_kept_once_and_not_again(bench: Bench) -> None:
    await others(bench, 0, 2)
    await bench.producer.set_pool("other", limit=2, paused=True)
    desk = Seats(bench)
    await desk.turn()
    await bench.producer.submit(Job("click", "other", "acme", Lane.INTERACTIVE))
    await desk.turn(desk.running[0])
    assert len(desk.running) == 2
    desk.take(await next_leases(desk.worker))
    for _ in range(50):
        await desk.turn(desk.running[0])
        assert len(desk.running) == 3
    await bench.producer.set_pool("other", limit=2, paused=False)
    await desk.turn(*desk.running)  # with more than one free slot nothing is kept
    assert "click" in desk.granted


@pytest.mark.rule("I6")
@pytest.mark.parametrize("is_waiting", [True, False])
async def test_a_weight_that_is_raised_counts_from_the_next_decision_on(bench: Bench, is_waiting: bool) -> None:
    await bench.limits("slow", slots=10, weight=0.01)
    await bench.producer.set_pool("other", limit=1, paused=False)
    await bench.producer.submit(Job("s0", "other", "slow"))
    desk = Seats(bench, 1)
    await bench.limits("acme", slots=0)
    await desk.turn()
    assert desk.granted == ["s0"]
    await others(bench, 100, 1)
    if is_waiting:
        await bench.producer.submit(Job("s1", "other", "slow"))
    await bench.limits("slow", slots=10, weight=100)
    if not is_waiting:
        await desk.turn(desk.running[0])
        await bench.producer.submit(Job("s1", "other", "slow"))
    await desk.ends_until("s1", at_most=4)
