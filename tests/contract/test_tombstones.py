"""What was purged stays gone, on both engines: a copy of the database is put back, and the vault remembers."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.domain.audit import By
from callspool.domain.errors import Conflict, InvalidInput, NotFound
from callspool.domain.ids import AccountId, RecordingId, TenantId
from callspool.domain.ports.store import Store
from callspool.domain.recording import Event, State
from callspool.domain.tenant import Tenant
from callspool.domain.tombstone import Burial, Tombstone
from callspool.lifecycle.orphans import sweep_orphans
from callspool.lifecycle.purge import Purger
from callspool.lifecycle.replay import Replayed, export_tombstones, replay_tombstones
from callspool.store import connect
from callspool.vault.disk import DiskVault
from callspool.vault.keys import parse_key, tombstone_key
from tests.contract.test_custody import Decay, decay  # noqa: F401 - a fixture
from tests.contract.test_store_purge import KEPT, queued, ready
from tests.fixtures.databases import ACME, KEY, MAIN, OTHER, Database, PostgresDatabase, SetClock, SqliteFile
from tests.fixtures.made import NOW, account
from tests.fixtures.memory import Rings

WHO = By("key:1")


@pytest.fixture
def copy(database: Database) -> Callable[[], str]:
    """Copy a database that nobody has open; return the copy's URL."""

    def make() -> str:
        if isinstance(database, SqliteFile):
            older = database.path.with_name("older.db")
            shutil.copy(database.path, older)
            return f"sqlite:///{older}"
        assert isinstance(database, PostgresDatabase)
        older_name = f"{database.name}_older"
        database.server.psql("postgres", f"CREATE DATABASE {older_name} TEMPLATE {database.name}")
        return database.url.replace(f"/{database.name}?", f"/{older_name}?")

    return make


async def test_the_receipt_tells_what_went_when_who_did_it_and_why(store: Store, clock: SetClock) -> None:
    row = await ready(store)
    with pytest.raises(Conflict, match="ready"):
        await store.tombstone(ACME, row.id)
    clock.pass_by(timedelta(days=1))
    await store.purge(ACME, row.id, by=WHO, why="the caller asked for it")

    receipt = await store.tombstone(ACME, row.id)

    assert (receipt.sha256, receipt.size, receipt.at) == (KEPT.sha256, KEPT.size, clock.now())
    assert (receipt.by, receipt.why) == ("key:1", "the caller asked for it")
    assert Tombstone.from_json(receipt.to_json()) == receipt
    with pytest.raises(NotFound):
        await store.tombstone(OTHER, row.id)


async def test_what_was_purged_does_not_come_back_with_an_older_database(
    database: Database, clock: SetClock, copy: Callable[[], str], tmp_path: Path
) -> None:
    vault = DiskVault(tmp_path / "vault")
    store = await connect(database.url, clock=clock, secret_key=KEY)
    await store.add_tenant(Tenant(ACME, "Acme"))
    await store.add_account(account())
    kept, waiting, stays = await ready(store, 1), await queued(store, 2), await ready(store, 3)
    await store.close()
    older_url = copy()

    store = await connect(database.url, clock=clock, secret_key=KEY)
    purger = Purger(store, vault, Rings())
    await store.cancel(None, waiting.id, actor="cli")
    after = await ready(store, 4)  # made and purged after the copy
    for row in (kept, waiting, after):
        await purger.purge(None, row.id, by=WHO, why="the caller asked for it")
    await store.close()

    older = await connect(older_url, clock=clock, secret_key=KEY)
    try:
        assert (await older.get(None, kept.id)).state is State.READY
        purger = Purger(older, vault, Rings())
        assert await replay_tombstones(older, vault, purger) == Replayed(seen=3, purged=3)

        states = [(await older.get(None, row.id)).state for row in (kept, waiting, stays, after)]
        assert states == [State.PURGED, State.PURGED, State.READY, State.PURGED]
        assert await queued(older, 4) == await older.get(None, after.id)  # its provider lists it again: nothing comes
        assert (await older.audit_log(None, limit=1))[0].action == "recording.purge"
        assert "the caller asked for it" in (await older.tombstone(None, kept.id)).why
        assert await replay_tombstones(older, vault, purger) == Replayed(seen=3)
        assert await older.to_erase(limit=10) == []
    finally:
        await older.close()


async def test_one_that_was_listed_and_fetched_anew_is_purged_too(store: Store, tmp_path: Path) -> None:
    row = await ready(store)
    purged = await store.purge(None, row.id, by=WHO, why="")
    tombstone = replace(await store.tombstone(None, purged.id), recording_id=RecordingId("rec_" + "0" * 32))
    other = replace(tombstone, provider_recording_id="RE2")
    anew = await ready(store, 2)

    assert await store.bury(tombstone, by=WHO) == (Burial.ALREADY, purged)
    burial, buried = await store.bury(other, by=WHO)
    assert (burial, buried and buried.id) == (Burial.PURGED, anew.id)


async def test_a_hold_beats_a_tombstone_and_nothing_moves(store: Store, clock: SetClock) -> None:
    gone = await ready(store, 1)
    await store.purge(None, gone.id, by=WHO, why="")
    waiting = await queued(store, 2)
    tombstone = replace(await store.tombstone(None, gone.id), provider_recording_id="RE2")
    await store.hold_recording(None, waiting.id, why="Doe v. Acme")

    assert await store.bury(tombstone, by=WHO) == (Burial.HELD, waiting)
    assert await store.get(None, waiting.id) == waiting


async def test_what_is_under_way_is_stopped_and_purged(store: Store) -> None:
    gone = await ready(store, 1)
    await store.purge(None, gone.id, by=WHO, why="")
    claimed = await store.claim((await queued(store, 2)).id, actor="worker:1")
    assert claimed is not None
    tombstone = replace(await store.tombstone(None, gone.id), provider_recording_id="RE2")

    assert (await store.bury(tombstone, by=WHO))[0] is Burial.PURGED
    assert await store.keep(claimed.id, claimed.attempt, KEPT, actor="worker:1") is None
    events = [entry.event for entry in await store.history(None, claimed.id)]
    assert events[-2:] == [Event.CANCEL, Event.PURGE]


async def test_tombstones_of_strangers_do_nothing(store: Store, tmp_path: Path) -> None:
    gone = await ready(store, 1)
    await store.purge(None, gone.id, by=WHO, why="")
    tombstone = replace(await store.tombstone(None, gone.id), provider_recording_id="RE9")
    for other in (
        replace(tombstone, recording_id=RecordingId("rec_" + "1" * 32), account_id=AccountId("nobody")),
        replace(tombstone, recording_id=RecordingId("rec_" + "2" * 32), tenant_id=TenantId("nobody")),
    ):
        assert await store.bury(other, by=WHO) == (Burial.UNKNOWN, None)
    vault = DiskVault(tmp_path / "vault")
    await vault.put_bytes(tombstone_key(RecordingId("rec_" + "3" * 32)), b'{"recording_id": "../etc"}')
    assert await replay_tombstones(store, vault, Purger(store, vault, Rings())) == Replayed(seen=1, unknown=1)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_tombstone_is_left_before_anything_is_deleted_and_no_sweep_removes_it(
    store: Store,
    clock: SetClock,
    decay: Decay,  # noqa: F811
) -> None:
    vault, row = decay.vault, await ready(store)
    purger = Purger(store, vault, Rings())
    await store.purge(None, row.id, by=WHO, why="before purges left any")
    assert [one async for one in vault.tombstones()] == []

    assert await export_tombstones(store, purger) == 1
    assert await export_tombstones(store, purger) == 1  # the first one stays

    assert [one async for one in vault.tombstones()] == [row.id]
    assert Tombstone.from_json(await vault.read_all(tombstone_key(row.id))) == await store.tombstone(None, row.id)
    assert await purger.erase(row)
    clock.pass_by(timedelta(days=30))
    await sweep_orphans(store, vault, clock, settled_for=timedelta(hours=1), most=10)
    assert [one async for one in vault.tombstones()] == [row.id]
    assert [key async for key in vault.keys(None)] == []  # and it is no recording's
    with pytest.raises(InvalidInput):
        parse_key(tombstone_key(row.id))


@given(st.binary() | st.sampled_from([b"null", b"[]", b"1", b'{"at": 1}']))
def test_no_bytes_by_chance_are_a_tombstone(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        Tombstone.from_json(data)


def test_a_tombstone_is_always_the_same_bytes() -> None:
    ids = (RecordingId("rec_" + "0" * 32), ACME, MAIN)
    stone = Tombstone(*ids, "RE1", "ab" * 32, 7, 3.0, NOW, "key:1", 'she said "ünsub"')
    assert Tombstone.from_json(stone.to_json()).to_json() == stone.to_json()
