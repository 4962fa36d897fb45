"""What every store must keep of legal holds: a hold beats a purge and a policy, and a race has one winner."""

import asyncio
import json
from datetime import timedelta

import pytest

from callspool.domain.audit import By
from callspool.domain.errors import Conflict, Held, NotFound
from callspool.domain.hold import Hold
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.ports.store import Store
from callspool.domain.recording import State
from callspool.lifecycle.purge import Purger
from callspool.lifecycle.retention import purge_expired
from callspool.store import connect
from callspool.vault.disk import DiskVault
from tests.contract.test_store_purge import ready
from tests.fixtures.databases import ACME, KEY, OTHER, Database, SetClock
from tests.fixtures.memory import Rings

LAWYER = By("cli:lawyer", "10.0.0.1")


async def test_held_recording_is_not_purged_until_its_last_hold_is_removed(store: Store, clock: SetClock) -> None:
    row = await ready(store)
    first = await store.hold_recording(ACME, row.id, why="Doe v. Acme", by=LAWYER)
    clock.pass_by(timedelta(milliseconds=1))
    second = await store.hold_recording(None, row.id, why="an audit", by=LAWYER)
    assert await store.holds(ACME, row.id) == [first, second]

    for hold in (first, second):
        with pytest.raises(Held, match="hold beats policy"):
            await store.purge(None, row.id, by=By("cli"), why="")
        assert await store.get(ACME, row.id) == row
        await store.remove_hold(hold.id, by=LAWYER)

    assert (await store.purge(None, row.id, by=By("cli"), why="")).state is State.PURGED
    with pytest.raises(Conflict, match="purged"):
        await store.hold_recording(None, row.id, why="too late")
    with pytest.raises(NotFound):
        await store.remove_hold(first.id)


async def test_held_tenant_holds_all_that_it_has_and_gets(store: Store) -> None:
    before = await ready(store, 1)
    hold = await store.hold_tenant(ACME, why="all of it", by=LAWYER)
    after, foreign = await ready(store, 2), await ready(store, 3, tenant_id=OTHER)

    for row in (before, after):
        with pytest.raises(Held):
            await store.purge(ACME, row.id, by=By("cli"), why="")
        assert await store.holds(ACME, row.id) == [hold]
    assert ((await store.tenant(ACME)).held, (await store.tenant(OTHER)).held) == (True, False)
    assert (await store.purge(None, foreign.id, by=By("cli"), why="")).state is State.PURGED
    await store.remove_hold(hold.id)
    assert (await store.purge(None, before.id, by=By("cli"), why="")).state is State.PURGED


async def test_retention_passes_over_what_is_held_and_goes_on_with_the_others(
    store: Store, clock: SetClock, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for tenant in (ACME, OTHER):
        await store.adjust_tenant(tenant, retention_days=1)
    held, free = await ready(store, 1), await ready(store, 2)
    foreign = await ready(store, 3, tenant_id=OTHER)
    await store.hold_recording(None, held.id, why="Doe v. Acme")
    await store.hold_tenant(OTHER, why="all of it")
    clock.pass_by(timedelta(days=2))
    purger = Purger(store, DiskVault(tmp_path_factory.mktemp("vault")), Rings())

    # One at a time: what is held must not stand in the way of the rest.
    assert [await purge_expired(store, purger, clock, limit=1) for _ in range(2)] == [1, 0]

    assert [(await store.get(None, row.id)).state for row in (held, free, foreign)] == [
        State.READY,
        State.PURGED,
        State.READY,
    ]


async def test_holds_are_audited_with_who_and_why(store: Store) -> None:
    row = await ready(store)
    hold = await store.hold_recording(None, row.id, why="Doe v. Acme", by=LAWYER)
    await store.remove_hold(hold.id, by=By("key:1"))

    removed, added = await store.audit_log(None, limit=2)
    assert [(one.actor, one.action, one.target, one.tenant_id) for one in (added, removed)] == [
        ("cli:lawyer", "hold.add", row.id, ACME),
        ("key:1", "hold.remove", row.id, ACME),
    ]
    assert json.loads(added.detail) == {"hold": hold.id, "why": "Doe v. Acme"}
    assert (hold.actor, hold.tenant_id, hold.recording_id) == ("cli:lawyer", ACME, row.id)


@pytest.mark.rule("I9")
async def test_another_tenants_recording_cannot_be_held_or_looked_at(store: Store) -> None:
    row = await ready(store)
    hold = await store.hold_tenant(ACME, why="secret")
    for tenant in (OTHER, TenantId("nobody")):
        with pytest.raises(NotFound):
            await store.hold_recording(tenant, row.id, why="")
        with pytest.raises(NotFound):
            await store.holds(tenant, row.id)
        assert await store.holds(tenant) == []
    assert await store.holds(ACME) == await store.holds(None) == [hold]
    with pytest.raises(NotFound):
        await store.hold_tenant(TenantId("nobody"), why="")
    with pytest.raises(NotFound):
        await store.hold_recording(None, RecordingId("rec_" + "0" * 32), why="")


@pytest.mark.parametrize("whole", [False, True], ids=["recording", "tenant"])
async def test_a_hold_and_a_purge_at_once_come_one_after_the_other(
    database: Database, store: Store, clock: SetClock, whole: bool
) -> None:
    """From two processes, again and again: never a recording that was purged after its hold was there."""
    other = await connect(database.url, clock=clock, secret_key=KEY)
    winners = set()
    try:
        for number in range(12):
            row = await ready(store, number)

            async def hold(row_id: RecordingId = row.id) -> Hold | Conflict:
                try:
                    if whole:
                        return await store.hold_tenant(ACME, why="now")
                    return await store.hold_recording(None, row_id, why="now")
                except Conflict as late:
                    return late

            async def purge(row_id: RecordingId = row.id) -> bool:
                try:
                    await other.purge(None, row_id, by=By("cli"), why="")
                except Held:
                    return False
                return True

            pair = (hold(), purge()) if number % 2 else (purge(), hold())
            outcomes = await asyncio.gather(*pair)
            held, purged = outcomes if number % 2 else reversed(outcomes)

            log = [entry.action for entry in await store.audit_log(None, limit=2)]
            assert (await store.get(None, row.id)).state is (State.PURGED if purged else State.READY)
            if isinstance(held, Conflict):
                assert purged  # there was a tombstone already
            else:
                # A tenant may be held after one of its recordings went; the log has the order of the commits.
                assert not purged or (whole and log == ["hold.add", "recording.purge"])
                await store.remove_hold(held.id)
            winners.add(bool(purged))
    finally:
        await other.close()
    assert winners <= {True, False}
