"""The audit log on both engines: what was changed stands there, and nobody alters it unseen."""

import asyncio
import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest

from callspool.domain.audit import Act, AuditKind, By, Deed
from callspool.domain.errors import NotFound
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.listening import ListenForm, Told, refused
from callspool.domain.ports.store import Store
from callspool.domain.tenant import Account, PrivateKey, Tenant
from callspool.store import connect
from tests.fixtures.databases import ACME, KEY, MAIN, Database, SetClock
from tests.fixtures.made import account

DANA = By("user:dana", "192.0.2.7")
REST = "at, actor, action, target, tenant_id, detail, address, hash"
UNLOCK = {
    "sqlite": ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"],
    "postgresql": ["ALTER TABLE audit DISABLE TRIGGER ALL"],
}


def tamper(database: Database, statement: str) -> None:
    """Do what somebody does who owns the database."""
    for one in UNLOCK[database.url.split(":")[0]]:
        database.execute(one)
    database.execute(statement)


async def write(store: Store, number: int) -> None:
    for index in range(number):
        await store.audit(Act("test.act", f"thing-{index}"), by=DANA)


async def test_each_change_stands_in_the_log_with_who_and_from_where(store: Store) -> None:
    await store.adjust_tenant(ACME, slots=7, by=DANA)

    newest, *older = await store.audit_log(None, limit=10)

    assert (newest.actor, newest.address, newest.action, newest.target) == (
        *("user:dana", "192.0.2.7"),
        "tenant.set",
        ACME,
    )
    assert json.loads(newest.detail) == {"slots": 7}
    assert [entry.action for entry in older] == ["account.add", "tenant.add", "tenant.add"]
    assert [entry.seq for entry in (newest, *older)] == [4, 3, 2, 1]


async def test_what_was_refused_leaves_no_entry(store: Store) -> None:
    before = await store.audit_log(None, limit=10)
    with pytest.raises(NotFound):
        await store.set_tenant(Tenant(TenantId("nobody"), "Nobody"), by=DANA)
    assert await store.audit_log(None, limit=10) == before


async def test_no_secret_of_an_account_is_in_the_log(store: Store, database: Database) -> None:
    secret = {one.name: f"canary-{one.name}" for one in fields(Account) if not one.repr}
    assert {"auth_token", "previous_auth_token", "api_secret", "signing_key"} <= secret.keys()
    keys = (PrivateKey("CR1", "canary-pem"),)
    await store.set_account(account(**secret, api_key="SK1", private_keys=keys), by=DANA)
    entry = (await store.audit_log(None, limit=1))[0]
    assert (entry.action, entry.target) == ("account.set", MAIN)
    shown = json.loads(entry.detail)
    assert (shown["api_key"], shown["private_keys"]) == ("SK1", ["CR1"])
    assert "canary" not in str(entry)
    assert "canary" not in database.dump()


def test_what_is_no_secret_of_an_account_is_shown() -> None:
    """Who changes it must stand in the log: so a new field is either kept out of its repr, or named as public."""
    assert account().public.keys() == {one.name for one in fields(Account) if one.repr}


async def test_the_log_is_read_page_by_page(store: Store) -> None:
    await write(store, 5)
    newest = await store.audit_log(None, limit=3)
    assert [entry.seq for entry in newest] == [8, 7, 6]
    assert [entry.seq for entry in await store.audit_log(6, limit=3)] == [5, 4, 3]


async def test_changes_are_not_buried_under_listenings(store: Store) -> None:
    told = Told("0" * 16, RecordingId("rec_" + "0" * 32), ACME, 1, ListenForm.AUDIO, "key")
    at = SetClock().now()
    await store.audit_all([Deed(told.begun(), DANA, at)] * 20)
    await store.audit_all([Deed(refused("bad_link", [told.recording_id], None, 1, at, at), DANA, at)])
    await write(store, 1)

    changes = await store.audit_log(None, limit=3, only=AuditKind.CHANGES)
    assert [entry.action for entry in changes] == ["test.act", "account.add", "tenant.add"]
    assert [entry.seq for entry in await store.audit_log(3, limit=9, only=AuditKind.CHANGES)] == [2, 1]
    listening = await store.audit_log(None, limit=30, only=AuditKind.LISTENING)
    assert [entry.action for entry in listening] == ["recording.refused", *["recording.listen"] * 20]


async def test_an_untouched_log_verifies_and_names_its_end(store: Store) -> None:
    await write(store, 3)
    verdict = await store.audit_verify()
    newest = (await store.audit_log(None, limit=1))[0]
    assert (verdict.entries, verdict.broken, verdict.head) == (6, None, f"6:{newest.hash}")
    assert (await store.audit_verify((4, (await store.audit_log(5, limit=1))[0].hash))).broken is None


async def test_an_empty_log_verifies(database: Database) -> None:
    store = await connect(database.url, clock=SetClock(), secret_key=KEY)
    try:
        assert (await store.audit_verify()).broken is None
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit SET actor = 'user:eve' WHERE seq = 5", 5),
        ("UPDATE audit SET detail = '{}' WHERE seq = 1", 1),
        ("UPDATE audit SET address = NULL WHERE seq = 6", 6),
        ("DELETE FROM audit WHERE seq = 4", 4),
        ("DELETE FROM audit WHERE seq >= 6", 6),
        ("DELETE FROM audit", 1),
        (f"INSERT INTO audit SELECT 7, {REST} FROM audit WHERE seq = 6", 7),
        ("UPDATE audit SET hash = (SELECT hash FROM audit AS other WHERE other.seq = 5) WHERE seq = 6", 6),
    ],
)
async def test_each_way_to_alter_the_log_is_seen(store: Store, database: Database, statement: str, broken: int) -> None:
    await write(store, 3)
    tamper(database, statement)
    assert (await store.audit_verify()).broken == broken


async def test_a_log_that_was_cut_off_with_its_end_does_not_fit_what_was_noted_elsewhere(
    store: Store, database: Database
) -> None:
    await write(store, 3)
    newest, before = await store.audit_log(None, limit=2)
    tamper(database, "DELETE FROM audit WHERE seq = 6")
    database.execute(f"UPDATE audit_head SET seq = 5, hash = '{before.hash}'")
    assert (await store.audit_verify()).broken is None, "the chain alone cannot show it"
    assert (await store.audit_verify((6, newest.hash))).broken == 6


async def test_entries_of_two_processes_at_once_make_one_chain(store: Store, database: Database) -> None:
    other = await connect(database.url, clock=SetClock(), secret_key=KEY)
    try:
        await asyncio.gather(*(write(one, 15) for one in (store, other)))
    finally:
        await other.close()
    verdict = await store.audit_verify()
    assert (verdict.entries, verdict.broken) == (33, None)


async def test_many_entries_are_written_together_in_their_order_and_times(store: Store) -> None:
    begun = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
    deeds = [Deed(Act("test.act", f"thing-{n}"), DANA, begun + timedelta(seconds=n)) for n in range(700)]
    await store.audit_all(deeds)
    await store.audit_all([])
    await write(store, 1)

    entries = (await store.audit_log(704, limit=1000))[:700]
    assert [(entry.seq, entry.target, entry.at) for entry in reversed(entries)] == [
        (n + 4, f"thing-{n}", begun + timedelta(seconds=n)) for n in range(700)
    ]
    verdict = await store.audit_verify()
    assert (verdict.entries, verdict.broken) == (704, None)


async def test_batches_of_two_processes_make_one_chain(store: Store, database: Database) -> None:
    async def batches(one: Store) -> None:
        for _ in range(8):
            await one.audit_all([Deed(Act("test.act", "thing"), DANA, SetClock().now())] * 5)

    other = await connect(database.url, clock=SetClock(), secret_key=KEY)
    try:
        await asyncio.gather(batches(store), batches(other), write(store, 8), write(other, 8))
    finally:
        await other.close()
    verdict = await store.audit_verify()
    assert (verdict.entries, verdict.broken) == (3 + 80 + 16, None)


@pytest.mark.parametrize("change", ["actor = 'key:other'", "target = 'rec_other'", "detail = '{}'", "address = 'x'"])
async def test_a_listening_is_not_altered_unseen(store: Store, database: Database, change: str) -> None:
    told = Told("0" * 16, RecordingId("rec_" + "0" * 32), ACME, 1, ListenForm.AUDIO, "key")
    at = SetClock().now()
    await store.audit_all([Deed(told.begun(), DANA, at), Deed(Act("test.act", "thing"), DANA, at)])
    tamper(database, f"UPDATE audit SET {change} WHERE action = 'recording.listen'")
    assert (await store.audit_verify()).broken == 4


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
async def test_the_log_can_only_be_added_to(store: Store, database: Database, statement: str) -> None:
    with pytest.raises(Exception, match="can only be added to"):
        database.execute(statement)
    assert (await store.audit_verify()).broken is None
