"""What every store must keep of recordings that go: tombstones, what is still to be erased, and whose time is over."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callspool.domain.audit import By
from callspool.domain.errors import Conflict, NotFound
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Encryption, Event, Kept, Recording, State
from tests.fixtures.databases import ACME, MAIN, OTHER, SetClock

KEPT = Kept("acme/rec/1.wav", "ab" * 32, 48_044, "audio/wav", 1, 8000, 3.0, verified=True)


async def queued(store: Store, number: int = 1, **changes: Any) -> Recording:
    given: dict[str, Any] = {"tenant_id": ACME, "call_id": None, "status": ProviderStatus.COMPLETED, **changes}
    return (await store.record(Notice(MAIN, provider_recording_id=f"RE{number}", **given), actor="webhook")).recording


async def ready(store: Store, number: int = 1, **changes: Any) -> Recording:
    row = await queued(store, number, **changes)
    claimed = await store.claim(row.id, actor="worker:1")
    assert claimed is not None
    kept = await store.keep(row.id, claimed.attempt, KEPT, actor="worker:1")
    assert kept is not None
    return kept


async def test_purged_recording_leaves_a_tombstone_that_says_who_when_and_why(store: Store, clock: SetClock) -> None:
    row = await ready(store, encryption=Encryption("CR1", b"wrapped", b"iv"))
    clock.pass_by(timedelta(days=3))

    purged = await store.purge(ACME, row.id, by=By("key:1"), why="the caller asked for it")

    assert (purged.state, purged.version, purged.updated_at) == (State.PURGED, row.version + 1, clock.now())
    assert purged.kept == KEPT  # what it was: its hash, size and duration
    assert purged.encryption is None
    last = (await store.history(ACME, row.id))[-1]
    assert (last.event, last.actor, last.at, last.detail) == (
        Event.PURGE,
        "key:1",
        clock.now(),
        "the caller asked for it",
    )


async def test_purging_again_changes_nothing(store: Store, clock: SetClock) -> None:
    row = await ready(store)
    first = await store.purge(ACME, row.id, by=By("key:1"), why="once")
    clock.pass_by(timedelta(days=1))

    assert await store.purge(None, row.id, by=By("key:2"), why="twice") == first
    (newest, older) = await store.audit_log(None, limit=2)
    assert (newest.actor, newest.action, newest.target, newest.tenant_id) == (
        *("key:1", "recording.purge"),
        *(row.id, ACME),
    )
    assert KEPT.sha256 in newest.detail
    assert older.action != "recording.purge"
    assert [entry.event for entry in await store.history(None, row.id)].count(Event.PURGE) == 1


async def test_failed_and_cancelled_recordings_can_be_purged_and_others_cannot(store: Store) -> None:
    failed = await store.claim((await queued(store, 1)).id, actor="worker:1")
    assert failed is not None
    why = {"reason": Reason.GONE, "detail": "410", "budget": Budget.TRIES, "actor": "worker:1"}
    await store.give_up(failed.id, failed.attempt, **why)  # type: ignore[arg-type]
    cancelled = await store.cancel(None, (await queued(store, 2)).id, actor="cli")
    for row in (failed, cancelled):
        assert (await store.purge(None, row.id, by=By("cli"), why="")).state is State.PURGED

    waiting, announced = await queued(store, 3), await queued(store, 4, status=ProviderStatus.IN_PROGRESS)
    running = await store.claim((await queued(store, 5)).id, actor="worker:1")
    absent = await queued(store, 6, status=ProviderStatus.ABSENT)
    assert running is not None
    for other in (waiting, announced, running, absent):
        with pytest.raises(Conflict, match=other.state):
            await store.purge(None, other.id, by=By("cli"), why="")
        assert await store.get(None, other.id) == other


@pytest.mark.rule("I4")
async def test_nothing_reopens_a_tombstone(store: Store) -> None:
    """Not a late webhook, a person's retry, nor a worker that wakes."""
    row = await ready(store)
    purged = await store.purge(ACME, row.id, by=By("key:1"), why="")
    for status in ProviderStatus:
        assert (await queued(store, status=status)) == purged
    with pytest.raises(Conflict):
        await store.retry(ACME, row.id, actor="key:1")
    assert await store.claim(row.id, actor="worker:2") is None
    assert await store.keep(row.id, row.attempt, KEPT, actor="worker:1") is None
    assert await store.get(ACME, row.id) == purged


@pytest.mark.rule("I9")
async def test_another_tenants_recording_cannot_be_purged(store: Store) -> None:
    row = await ready(store)
    for tenant in (OTHER, TenantId("nobody")):
        with pytest.raises(NotFound):
            await store.purge(tenant, row.id, by=By("key:2"), why="")
    assert await store.get(ACME, row.id) == row
    with pytest.raises(NotFound):
        await store.purge(None, RecordingId("rec_" + "0" * 32), by=By("cli"), why="")


async def test_what_was_purged_is_to_be_erased_until_that_is_noted(store: Store, clock: SetClock) -> None:
    rows = [await ready(store, number) for number in range(3)]
    await store.erased(rows[0].id)  # not purged: nothing happens
    for row in reversed(rows):
        clock.pass_by(timedelta(seconds=1))
        await store.purge(None, row.id, by=By("cli"), why="")

    assert [row.id for row in await store.to_erase(limit=10)] == [row.id for row in reversed(rows)]
    assert [row.id for row in await store.to_erase(limit=2)] == [rows[2].id, rows[1].id]
    clock.pass_by(timedelta(seconds=1))
    await store.erase_later(rows[2].id)
    assert [row.id for row in await store.to_erase(limit=10)] == [rows[1].id, rows[0].id, rows[2].id]
    for row in rows[1:]:
        await store.erased(row.id)
        await store.erased(row.id)
        await store.erase_later(row.id)  # there is nothing left
    assert [row.id for row in await store.to_erase(limit=10)] == [rows[0].id]


async def test_recordings_whose_time_is_over_are_found_by_when_they_became_ready(store: Store, clock: SetClock) -> None:
    begun = clock.now()
    slow = await queued(store, 1)  # waits for ten days before it is fetched
    clock.pass_by(timedelta(milliseconds=1))  # ids sort by time
    old = await ready(store, 2)
    foreign = await ready(store, 3, tenant_id=OTHER)
    await queued(store, 4)
    clock.pass_by(timedelta(days=10))
    claimed = await store.claim(slow.id, actor="worker:1")
    assert claimed is not None
    await store.keep(slow.id, claimed.attempt, KEPT, actor="worker:1")
    await ready(store, 5)

    async def expired(days: int, limit: int = 10) -> list[RecordingId]:
        return [row.id for row in await store.expired(ACME, begun + timedelta(days=days, seconds=1), limit=limit)]

    assert await expired(-1) == []
    assert await expired(1) == [old.id]
    assert await expired(10, limit=2) == [slow.id, old.id]
    assert len(await expired(10)) == 3
    await store.purge(None, old.id, by=By("lifecycle"), why="")
    assert await expired(1) == []
    assert [row.id for row in await store.expired(OTHER, clock.now(), limit=10)] == [foreign.id]


async def test_many_recordings_are_found_at_once(store: Store) -> None:
    rows = [await queued(store, number) for number in range(3)]
    unknown = RecordingId("rec_" + "0" * 32)

    assert await store.find([rows[0].id, unknown, rows[2].id]) == {row.id: row for row in (rows[0], rows[2])}
    assert await store.find([]) == {}


async def test_retention_is_kept_with_the_tenant(store: Store) -> None:
    tenant = await store.tenant(ACME)
    assert tenant.retention_days is None
    await store.set_tenant(replace(tenant, retention_days=30))
    assert (await store.tenant(ACME)).retention_days == 30
