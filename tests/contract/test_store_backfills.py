"""What every store must keep of backfills: leases, progress, sightings, and what follows from them."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from callspool.domain.audit import By
from callspool.domain.backfill import Backfill, BackfillState, Sighting, Step, count_windows, window_end
from callspool.domain.errors import Conflict, InvalidInput, NotFound
from callspool.domain.ids import AccountId
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Kept, Recording
from tests.fixtures.databases import ACME, MAIN, SetClock
from tests.fixtures.made import CA, NOW, account

LEASE = timedelta(seconds=30)
SPAN = timedelta(hours=48)
DAY = datetime(2026, 11, 20, tzinfo=UTC)
KEPT = Kept("acme/rec/1.wav", "ab" * 32, 48_044, "audio/wav", 1, 8000, 3.0, verified=True)


def sid(number: int) -> str:
    return f"RE{number:032x}"


def step(*numbers: int, at: datetime = DAY, inserted: int = 0, **given: Any) -> Step:
    sightings = [Sighting(sid(number), at + timedelta(minutes=number)) for number in numbers]
    return Step(**{"sightings": sightings, "unread": (), "inserted": inserted, "next_cursor": None, **given})


async def asked(store: Store, days: int = 2, *, dry_run: bool = False) -> Backfill:
    return await store.add_backfill(MAIN, DAY, DAY + timedelta(days=days), dry_run=dry_run, by=By("test"))


async def claimed(store: Store, holder: str = "one", *, sliding: bool = False, **given: Any) -> Backfill | None:
    return await store.claim_backfill(holder, LEASE, sliding=sliding, span=SPAN, **given)


async def begun(store: Store, days: int = 2, *, dry_run: bool = False) -> Backfill:
    made = await asked(store, days, dry_run=dry_run)
    assert await claimed(store, only=made.id) is not None
    window = await store.begin_window(made.id, "one", LEASE)
    assert window is not None
    return window


async def listed(store: Store, *steps: Step, days: int = 1, dry_run: bool = False) -> Backfill:
    """Run a whole backfill, a step for each window."""
    backfill = await begun(store, days, dry_run=dry_run)
    for number, one in enumerate(steps):
        if number:
            assert await store.begin_window(backfill.id, "one", LEASE) is not None
        assert await store.note_page(backfill.id, "one", LEASE, one) is not None
    ended = await store.end_backfill(backfill.id, "one", error=None)
    assert ended is not None
    return ended


async def have(store: Store, number: int, status: ProviderStatus = ProviderStatus.COMPLETED) -> Recording:
    notice = Notice(MAIN, ACME, sid(number), CA, status)
    return (await store.record(notice, actor="webhook")).recording


def test_windows_end_with_their_days() -> None:
    noon = DAY + timedelta(hours=12)
    assert window_end(DAY, DAY + timedelta(days=9)) == DAY + timedelta(days=1)
    assert window_end(noon, DAY + timedelta(days=9)) == DAY + timedelta(days=1)
    assert window_end(DAY, noon) == noon
    assert [count_windows(DAY, DAY + timedelta(hours=hours)) for hours in (0, 1, 24, 25, 48)] == [0, 1, 1, 2, 2]


async def test_what_is_asked_for_waits_and_covers_whole_days_until_now_at_most(store: Store) -> None:
    backfill = await store.add_backfill(
        MAIN, DAY + timedelta(hours=7), NOW + timedelta(days=9), dry_run=True, by=By("key:1")
    )

    assert (backfill.state, backfill.since, backfill.until) == (BackfillState.WAITING, DAY, NOW)
    assert (backfill.windows, backfill.windows_done, backfill.dry_run, backfill.actor) == (4, 0, True, "key:1")
    assert await store.backfill(backfill.id) == backfill
    assert await store.backfills(limit=5) == [backfill]


async def test_what_cannot_be_asked_for_is_refused(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.add_backfill(AccountId("nobody"), DAY, NOW, dry_run=False, by=By("test"))
    with pytest.raises(InvalidInput):
        await store.add_backfill(MAIN, NOW + timedelta(days=2), NOW + timedelta(days=3), dry_run=False, by=By("test"))
    with pytest.raises(NotFound):
        await store.backfill("bf_0")
    with pytest.raises(NotFound):
        await store.cancel_backfill("bf_0")
    with pytest.raises(NotFound):
        await store.completeness(AccountId("nobody"), date(2026, 11, 1), date(2026, 11, 30))


async def test_of_many_who_claim_at_once_one_has_it(store: Store) -> None:
    made = await asked(store)

    answers = await asyncio.gather(*(claimed(store, f"holder {n}") for n in range(10)))

    (one,) = [answer for answer in answers if answer is not None]
    assert (one.id, one.state) == (made.id, BackfillState.RUNNING)


async def test_one_whose_holder_died_is_taken_where_it_was(store: Store, clock: SetClock) -> None:
    backfill = await begun(store)
    await store.note_page(backfill.id, "one", LEASE, step(1, 2, inserted=2, next_cursor="page 2"))
    assert await claimed(store, "two") is None
    clock.pass_by(LEASE + timedelta(seconds=1))

    taken = await claimed(store, "two")

    assert taken is not None
    assert (taken.id, taken.cursor, taken.position, taken.begun_at) == (backfill.id, "page 2", DAY, backfill.begun_at)
    assert (taken.listed, taken.inserted, taken.known) == (2, 2, 0)
    assert taken.started_at == NOW
    assert not await store.renew_backfill(backfill.id, "one", LEASE)
    assert await store.note_page(backfill.id, "one", LEASE, step(3)) is None
    assert await store.end_backfill(backfill.id, "one", error=None) is None
    assert await store.begin_window(backfill.id, "one", LEASE) is None
    assert (await store.backfill(backfill.id)).listed == 2


async def test_one_that_is_let_go_or_renewed(store: Store, clock: SetClock) -> None:
    backfill = await begun(store)
    clock.pass_by(LEASE - timedelta(seconds=1))
    assert await store.renew_backfill(backfill.id, "one", LEASE)
    clock.pass_by(LEASE - timedelta(seconds=1))
    assert await claimed(store, "two") is None
    await store.release_backfill(backfill.id, "one")
    assert await claimed(store, "two") is not None


async def test_a_cancelled_one_ends_whoever_holds_it(store: Store) -> None:
    backfill = await begun(store)

    assert (await store.cancel_backfill(backfill.id)).state is BackfillState.CANCELLED

    assert await store.note_page(backfill.id, "one", LEASE, step(1)) is None
    assert await claimed(store, "two") is None
    with pytest.raises(Conflict, match="cancelled"):
        await store.cancel_backfill(backfill.id)


async def test_windows_follow_each_other_to_the_end(store: Store, clock: SetClock) -> None:
    backfill = await begun(store)
    clock.pass_by(timedelta(seconds=10))
    first = await store.note_page(backfill.id, "one", LEASE, step(1, inserted=1))
    assert first is not None
    assert (first.position, first.windows_done, first.begun_at) == (DAY + timedelta(days=1), 1, None)
    assert first.eta(clock.now()) == timedelta(seconds=10)
    await store.begin_window(backfill.id, "one", LEASE)
    second = await store.note_page(backfill.id, "one", LEASE, step(2, at=DAY + timedelta(days=1)))
    assert second is not None
    assert (second.position, second.windows_done) == (second.until, 2)
    ended = await store.end_backfill(backfill.id, "one", error=None)
    assert ended is not None
    assert (ended.state, ended.listed, ended.inserted, ended.known) == (BackfillState.DONE, 2, 1, 1)
    assert ended.ended_at == clock.now()
    assert await claimed(store) is None


@pytest.mark.parametrize(("dry_run", "inserted"), [(False, 3), (True, 1)])
async def test_a_window_that_begins_again_counts_nothing_twice(store: Store, *, dry_run: bool, inserted: int) -> None:
    backfill = await begun(store, dry_run=dry_run)
    await store.note_page(backfill.id, "one", LEASE, step(1, 2, inserted=2, next_cursor="x"))
    again = await store.begin_window(backfill.id, "one", LEASE)
    assert again is not None
    assert (again.cursor, again.listed) == (None, 0)
    done = await store.note_page(backfill.id, "one", LEASE, step(1, 2, 3, inserted=1))
    assert done is not None
    assert (done.listed, done.inserted) == (3, inserted)


async def test_a_failed_one_says_why(store: Store) -> None:
    backfill = await begun(store)
    ended = await store.end_backfill(backfill.id, "one", error="unauthorized\0")
    assert ended is not None
    assert (ended.state, ended.error) == (BackfillState.FAILED, "unauthorized\ufffd")


async def test_the_continuous_one_begins_again_when_it_is_due(store: Store, clock: SetClock) -> None:
    for _ in range(3):
        await store.ensure_sliding(MAIN, first_at=NOW + timedelta(minutes=5))
    assert await claimed(store, sliding=True) is None
    clock.pass_by(timedelta(minutes=5))
    assert await claimed(store) is None

    first = await claimed(store, sliding=True)

    assert first is not None
    assert (first.since, first.until) == (DAY + timedelta(days=1), clock.now())
    assert await claimed(store, "two", sliding=True) is None
    await store.begin_window(first.id, "one", LEASE)
    await store.note_page(first.id, "one", LEASE, step(1, at=first.since))
    clock.pass_by(LEASE + timedelta(seconds=1))
    again = await claimed(store, sliding=True)  # its process died
    assert again is not None
    assert (again.position, again.until, again.listed) == (first.since + timedelta(days=1), first.until, 1)
    await store.end_backfill(first.id, "one", error="busy", next_at=clock.now() + timedelta(minutes=15))
    assert await claimed(store, "two", sliding=True) is None
    clock.pass_by(timedelta(days=1))
    second = await claimed(store, "two", sliding=True)
    assert second is not None
    assert (second.id, second.listed, second.since) == (first.id, 0, DAY + timedelta(days=2))
    assert await store.backfills(limit=5) == []
    with pytest.raises(Conflict):
        await store.cancel_backfill(first.id)


async def test_each_listed_recording_is_in_one_figure_and_gaps_are_named(store: Store) -> None:
    rows = [await have(store, n) for n in range(5)]
    await have(store, 5, ProviderStatus.ABSENT)
    await have(store, 6, ProviderStatus.IN_PROGRESS)
    for row in rows[:3]:
        await store.claim(row.id, actor="worker:1")
    await store.keep(rows[0].id, 1, KEPT, actor="worker:1")
    for row in rows[1:3]:
        await store.give_up(row.id, 1, reason=Reason.GONE, detail="", budget=Budget.TRIES, actor="worker:1")
    await store.cancel(None, rows[3].id, actor="cli")
    await have(store, 99)  # of another day: nobody listed it

    await listed(store, step(*range(9), unread=("strange",)))

    report = next(day for day in await store.completeness(MAIN, date(2026, 11, 1), date(2026, 12, 1)) if day.listed)
    assert (report.day, report.listed_at) == (date(2026, 11, 20), NOW)
    assert (report.listed, report.kept, report.absent, report.cancelled, report.pending) == (10, 1, 1, 1, 2)
    assert report.failed == {Reason.GONE: 2}
    assert (report.missing_count, set(report.missing)) == (3, {sid(7), sid(8), "strange"})
    told = report.kept + report.absent + report.cancelled + report.pending + report.purged + report.missing_count
    assert report.listed == told + sum(report.failed.values())


async def test_days_that_nobody_listed_are_named(store: Store, clock: SetClock) -> None:
    await listed(store, step())  # nothing was recorded that day, which is known
    part = await store.add_backfill(
        MAIN, DAY + timedelta(days=2), DAY + timedelta(days=2, hours=5), dry_run=False, by=By("t")
    )
    await claimed(store, only=part.id)
    await store.begin_window(part.id, "one", LEASE)
    await store.note_page(part.id, "one", LEASE, step(1, at=DAY + timedelta(days=2)))

    report = await store.completeness(MAIN, date(2026, 11, 18), date(2026, 12, 1))

    assert [day.day.day for day in report] == [18, 19, 20, 21, 22, 23], "each that has begun, once"
    assert [day.day.day for day in report if day.listed_at] == [20]
    assert [day.day.day for day in report if day.is_unknown] == [18, 19, 21, 23]
    assert (report[4].listed, report[4].listed_at) == (1, None)
    clock.pass_by(timedelta(days=1))
    assert len(await store.completeness(MAIN, date(2026, 11, 18), date(2026, 12, 1))) == 7


async def test_what_is_listed_no_longer_has_vanished_and_may_come_back(store: Store, clock: SetClock) -> None:
    await have(store, 1)
    assert (await listed(store, step(1, 2, 3))).vanished == 0
    clock.pass_by(timedelta(hours=1))

    assert (await listed(store, step(3), dry_run=True)).vanished == 2
    (report, *_) = await store.completeness(MAIN, DAY.date(), NOW.date())
    assert report.vanished == 0  # a dry run marks nothing
    clock.pass_by(timedelta(hours=1))
    assert (await listed(store, step(3))).vanished == 2
    clock.pass_by(timedelta(hours=1))
    assert (await listed(store, step(2, 3))).vanished == 0

    (report, *_) = await store.completeness(MAIN, DAY.date(), NOW.date())
    assert (report.vanished, report.listed, report.listed_at) == (1, 2, clock.now())
    assert (await store.states_of(MAIN, [sid(1), sid(2)])) == {sid(1): "queued"}  # ours stays


async def test_a_half_listed_window_marks_nothing_as_vanished(store: Store, clock: SetClock) -> None:
    await listed(store, step(1, 2, 3))
    clock.pass_by(timedelta(hours=1))
    backfill = await begun(store, 1)
    await store.note_page(backfill.id, "one", LEASE, step(3, next_cursor="more"))
    await store.end_backfill(backfill.id, "one", error="broke off")

    (report, *_) = await store.completeness(MAIN, DAY.date(), NOW.date())
    assert (report.vanished, report.listed, report.listed_at) == (0, 3, NOW)


async def test_a_part_of_a_past_day_is_not_called_the_whole_day(store: Store) -> None:
    made = await store.add_backfill(MAIN, DAY, DAY + timedelta(hours=12), dry_run=False, by=By("test"))
    await claimed(store, only=made.id)
    await store.begin_window(made.id, "one", LEASE)
    await store.note_page(made.id, "one", LEASE, step(1))

    (report, *_) = await store.completeness(MAIN, DAY.date(), NOW.date())
    assert (report.listed, report.listed_at) == (1, None)


async def test_states_of_more_than_one_statement_can_ask_for(store: Store) -> None:
    rows = [await have(store, n) for n in range(3)]
    states = await store.states_of(MAIN, [sid(n) for n in range(1200)])
    assert states == {row.provider_recording_id: "queued" for row in rows}


async def slide(store: Store, *, error: str | None = None, windows: int = 99) -> Backfill:
    """Take the continuous one and list so many windows of it."""
    backfill = await claimed(store, sliding=True)
    assert backfill is not None
    for _ in range(min(windows, backfill.windows)):
        assert await store.begin_window(backfill.id, "one", LEASE) is not None
        assert await store.note_page(backfill.id, "one", LEASE, step()) is not None
    await store.end_backfill(backfill.id, "one", error=error, next_at=NOW)
    return backfill


async def test_the_continuous_one_begins_where_an_outage_or_a_failure_left_it(store: Store, clock: SetClock) -> None:
    await store.ensure_sliding(MAIN, first_at=NOW)
    assert (await slide(store)).since == DAY + timedelta(days=1)  # 48 hours before
    clock.pass_by(timedelta(days=5))
    assert (await slide(store, error="busy", windows=1)).since == DAY + timedelta(days=3)  # the day it stopped in
    clock.pass_by(timedelta(days=1))
    assert (await slide(store)).since == DAY + timedelta(days=4)  # the first that was not listed
    clock.pass_by(timedelta(minutes=15))
    assert (await slide(store)).since == DAY + timedelta(days=7)
    clock.pass_by(timedelta(days=90))
    assert (await slide(store)).since == DAY + timedelta(days=99 - 30)  # an end to it: the report names the rest


async def test_one_that_is_put_off_is_given_out_when_its_time_has_come(store: Store, clock: SetClock) -> None:
    backfill = await begun(store)
    await store.note_page(backfill.id, "one", LEASE, step(1, next_cursor="page 2"))
    await store.release_backfill(backfill.id, "one", until=NOW + timedelta(minutes=1))
    assert await claimed(store) is None
    assert not await store.renew_backfill(backfill.id, "one", LEASE)
    clock.pass_by(timedelta(minutes=1))
    again = await claimed(store, "two")
    assert again is not None
    assert (again.id, again.cursor) == (backfill.id, "page 2")


async def test_runs_of_an_account_follow_each_other_and_other_accounts_run_beside_it(
    store: Store, clock: SetClock
) -> None:
    other = AccountId("second")
    await store.add_account(account(id=other))
    first = await asked(store)
    clock.pass_by(timedelta(seconds=1))
    second = await asked(store)
    clock.pass_by(timedelta(seconds=1))
    theirs = await store.add_backfill(other, DAY, DAY + timedelta(days=1), dry_run=False, by=By("test"))

    given = [await claimed(store, f"holder {n}") for n in range(3)]

    assert [one and one.id for one in given] == [first.id, theirs.id, None]
    named = await claimed(store, "by hand", only=second.id)
    assert named is not None
    assert named.id == second.id
    await store.release_backfill(second.id, "by hand")
    await store.end_backfill(first.id, "holder 0", error=None)
    last = await claimed(store)
    assert last is not None
    assert last.id == second.id
