"""Lists, events and counts, on both engines."""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from callspool.domain.errors import InvalidInput
from callspool.domain.ids import AccountId
from callspool.domain.ports.counts import StateCount
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Event, Recording, State
from callspool.domain.tenant import Tenant
from callspool.store import connect
from tests.fixtures.databases import ACME, KEY, MAIN, OTHER, Database, SetClock
from tests.fixtures.made import account

EVERYTHING = RecordingFilter()


async def add(store: Store, number: int, *, actor: str = "webhook", **changes: Any) -> Recording:
    given: dict[str, Any] = {
        "account_id": MAIN,
        "tenant_id": ACME,
        "provider_recording_id": f"RE{number:032x}",
        "call_id": f"CA{number % 3:032x}",
        "status": ProviderStatus.COMPLETED,
    }
    return (await store.record(Notice(**{**given, **changes}), actor=actor)).recording


async def add_some(store: Store, clock: SetClock, numbers: Sequence[int], **changes: Any) -> list[Recording]:
    """Add recordings, one a second, so that their ids sort as they were added."""
    added = []
    for number in numbers:
        clock.pass_by(timedelta(seconds=1))
        added.append(await add(store, number, **changes))
    return added


async def fail(store: Store, recording: Recording, reason: Reason = Reason.GONE) -> Recording:
    claimed = await store.claim(recording.id, actor="worker:1")
    assert claimed is not None
    failed = await store.give_up(
        claimed.id, claimed.attempt, reason=reason, detail="", budget=Budget.TRIES, actor="worker:1"
    )
    assert failed is not None
    return failed


async def walk(store: Store, wanted: RecordingFilter, limit: int) -> list[Recording]:
    found: list[Recording] = []
    cursor = None
    while True:
        page = await store.list(wanted, cursor=cursor, limit=limit)
        assert len(page.recordings) <= limit
        assert not {recording.id for recording in found} & {recording.id for recording in page.recordings}
        found += page.recordings
        cursor = page.next_cursor
        if cursor is None:
            return found


# --- pages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 3, 9, 10, 11])
async def test_pages_give_everything_once_and_newest_first(store: Store, clock: SetClock, limit: int) -> None:
    added = await add_some(store, clock, range(10))

    assert await walk(store, EVERYTHING, limit) == added[::-1]


async def test_full_last_page_has_no_next_one(store: Store, clock: SetClock) -> None:
    await add_some(store, clock, range(4))

    page = await store.list(EVERYTHING, cursor=None, limit=4)

    assert (len(page.recordings), page.next_cursor) == (4, None)


async def test_what_comes_while_somebody_pages_moves_nothing(store: Store, clock: SetClock) -> None:
    before = await add_some(store, clock, range(9))
    found: list[Recording] = []
    cursor = None
    for number in range(100, 200):
        page = await store.list(EVERYTHING, cursor=cursor, limit=2)
        found += page.recordings
        cursor = page.next_cursor
        if cursor is None:
            break
        await add_some(store, clock, [number])

    assert found == before[::-1]


@pytest.mark.rule("I9")
async def test_filters_select_what_they_say(store: Store, clock: SetClock) -> None:
    await store.add_account(account(id=AccountId("second")))
    start = clock.now()
    acme = await add_some(store, clock, range(6))
    other = await add_some(store, clock, range(10, 13), tenant_id=OTHER)
    second = await add_some(store, clock, range(20, 22), account_id=AccountId("second"))
    failed = await fail(store, acme[0])
    worse = await fail(store, acme[1], Reason.UNDECODABLE)

    async def ids(**wanted: Any) -> set[str]:
        return {recording.id for recording in await walk(store, RecordingFilter(**wanted), 4)}

    def of(*recordings: Recording) -> set[str]:
        return {recording.id for recording in recordings}

    assert await ids() == of(*acme, *other, *second)
    assert await ids(tenant_id=OTHER) == of(*other)
    assert await ids(account_id=AccountId("second")) == of(*second)
    assert await ids(states=frozenset({State.FAILED})) == of(failed, worse)
    assert await ids(states=frozenset({State.FAILED, State.READY}), tenant_id=OTHER) == set()
    assert await ids(states=frozenset()) == set()
    assert await ids(reason=Reason.UNDECODABLE) == of(worse)
    assert await ids(call_id=acme[2].call_id, tenant_id=ACME) == of(acme[2], acme[5], second[0])
    assert await ids(provider_recording_id=acme[4].provider_recording_id) == of(acme[4])
    assert await ids(provider_recording_id=acme[4].provider_recording_id, tenant_id=OTHER) == set()
    assert await ids(created_from=acme[4].created_at, created_before=other[1].created_at) == of(*acme[4:], other[0])
    assert await ids(created_before=start) == set()


@pytest.mark.parametrize("cursor", ["", "x", "????", "%00", "AAAA", "é", "A" * 500, "rec_" + "0" * 32])
async def test_cursor_that_no_list_gave_out_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await store.list(EVERYTHING, cursor=cursor, limit=5)

    assert refused.value.field == "cursor"


async def test_unfinished_are_listed_by_id_whatever_their_state(store: Store, clock: SetClock) -> None:
    added = await add_some(store, clock, range(8))
    for recording in added[::3]:
        await store.claim(recording.id, actor="worker:1")
    await fail(store, added[1])
    await store.cancel(None, added[4].id, actor="cli")
    wanted = [recording.id for recording in added if recording not in (added[1], added[4])]

    found: list[Recording] = []
    while page := await store.unfinished(found[-1].id if found else None, limit=2):
        found += page

    assert [recording.id for recording in found] == wanted
    assert {recording.state for recording in found} == {State.QUEUED, State.FETCHING}


# --- events ------------------------------------------------------------------------------------------


@pytest.mark.rule("I9")
async def test_events_are_read_on_from_where_one_stopped(store: Store, clock: SetClock) -> None:
    (mine,) = await add_some(store, clock, [1])
    (other,) = await add_some(store, clock, [2], tenant_id=OTHER)
    await fail(store, mine)

    everything = await store.events_after(None, 0, limit=100)
    first = await store.events_after(None, 0, limit=2)

    assert [(entry.recording_id, entry.event) for entry in everything] == [
        (mine.id, Event.ENQUEUE),
        (other.id, Event.ENQUEUE),
        (mine.id, Event.CLAIM),
        (mine.id, Event.GIVE_UP),
    ]
    assert [*first, *await store.events_after(None, first[-1].seq, limit=100)] == everything
    assert await store.events_after(OTHER, 0, limit=100) == [everything[1]]
    assert await store.last_seq() == everything[-1].seq


async def test_empty_store_has_no_events(store: Store) -> None:
    assert await store.last_seq() == 0
    assert await store.events_after(None, 0, limit=5) == []


async def test_reader_of_events_never_misses_one_while_many_write(database: Database, store: Store) -> None:
    total, rivals = 60, 3
    others = [await connect(database.url, clock=SetClock(), secret_key=KEY) for _ in range(rivals)]

    async def write(number: int) -> None:
        for one in range(number, total, rivals):
            await add(others[number], one)

    seen: list[int] = []

    async def read() -> None:
        while len(seen) < total:
            last = seen[-1] if seen else 0
            seen.extend(entry.seq for entry in await store.events_after(None, last, limit=7))

    try:
        async with asyncio.timeout(60):
            await asyncio.gather(read(), *(write(number) for number in range(rivals)))
        everything = [entry.seq for entry in await store.events_after(None, 0, limit=2 * total)]
    finally:
        for other in others:
            await other.close()

    assert seen == everything
    assert len(seen) == total


SLOW_COMMIT = """
    CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END $$;
    CREATE TRIGGER be_slow AFTER INSERT ON events FOR EACH ROW WHEN (NEW.actor = 'slow') EXECUTE FUNCTION be_slow()
"""


async def test_event_of_a_slow_commit_never_appears_behind_a_later_one(postgres_url: str) -> None:
    store = await connect(postgres_url, clock=SetClock(), secret_key=KEY)
    past_the_store = await asyncpg.connect(postgres_url)
    try:
        await store.add_tenant(Tenant(ACME, "Acme"))
        await store.add_account(account())
        await past_the_store.execute(SLOW_COMMIT)
        await past_the_store.execute("SELECT pg_advisory_lock(1)")

        async def until_waiting(number: int, task: "asyncio.Task[Recording]") -> None:
            async with asyncio.timeout(20):
                while not task.done() and number > await past_the_store.fetchval(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted"
                ):
                    await asyncio.sleep(0.01)

        slow = asyncio.create_task(add(store, 1, actor="slow"))
        await until_waiting(1, slow)
        fast = asyncio.create_task(add(store, 2))
        await until_waiting(2, fast)
        seen = list(await store.events_after(None, 0, limit=10))
        await past_the_store.execute("SELECT pg_advisory_unlock(1)")
        await asyncio.gather(slow, fast)
        seen += await store.events_after(None, seen[-1].seq if seen else 0, limit=10)

        assert [entry.actor for entry in seen] == ["slow", "webhook"]
    finally:
        await past_the_store.close()
        await store.close()


@pytest.mark.rule("S2")
@pytest.mark.parametrize(
    "statement", ["UPDATE events SET actor = 'nobody'", "DELETE FROM events", "DELETE FROM events WHERE seq = 1"]
)
async def test_events_cannot_be_changed_even_past_the_store(database: Database, store: Store, statement: str) -> None:
    recording = await add(store, 1)
    before = await store.history(None, recording.id)

    with pytest.raises(Exception, match="events can only be added to"):
        database.execute(statement)

    assert await store.history(None, recording.id) == before


# --- counts ------------------------------------------------------------------------------------------


async def test_counts_are_by_tenant_state_and_reason_of_failure(store: Store, clock: SetClock) -> None:
    first, second, third, _ = await add_some(store, clock, range(4))
    (other,) = await add_some(store, clock, [9], tenant_id=OTHER)
    times = []
    for recording in (first, second):
        clock.pass_by(timedelta(seconds=10))
        times.append(clock.now())
        await fail(store, recording)
    clock.pass_by(timedelta(seconds=10))
    await fail(store, third, Reason.NOT_FOUND)

    expected = {
        StateCount(ACME, State.FAILED, Reason.GONE, 2, times[0]),
        StateCount(ACME, State.FAILED, Reason.NOT_FOUND, 1, clock.now()),
        StateCount(ACME, State.QUEUED, None, 1, third.created_at + timedelta(seconds=1)),
    }
    assert set(await store.count(ACME)) == expected
    assert set(await store.count(None)) == {*expected, StateCount(OTHER, State.QUEUED, None, 1, other.created_at)}


async def test_deferred_recordings_are_counted_as_queued_whatever_their_reason(store: Store, clock: SetClock) -> None:
    for recording, reason in zip(
        await add_some(store, clock, range(2)), (Reason.THROTTLED, Reason.NOT_READY), strict=True
    ):
        claimed = await store.claim(recording.id, actor="worker:1")
        assert claimed is not None
        await store.defer(
            claimed.id,
            claimed.attempt,
            reason=reason,
            detail=os.urandom(2).hex(),
            budget=Budget.NONE,
            not_before=clock.now(),
            actor="worker:1",
        )

    (counted,) = await store.count(ACME)
    assert (counted.state, counted.reason, counted.count) == (State.QUEUED, None, 2)
