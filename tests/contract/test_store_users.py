"""Users, sessions and the counts of tries, on both engines."""

import asyncio
import dataclasses
from datetime import timedelta

import pytest

from callspool.domain.errors import Conflict, NotFound
from callspool.domain.ids import TenantId
from callspool.domain.keys import hash_key, new_key
from callspool.domain.ports.store import Store
from callspool.domain.session import Session, Tries, User
from callspool.store import connect
from tests.fixtures.databases import ACME, KEY, Database, SetClock

HOUR = timedelta(hours=1)
ANNA = Tries("anna", "10.0.0.1")


def user(clock: SetClock, name: str = "anna", tenant: TenantId | None = ACME) -> User:
    return User(name, tenant, "$argon2id$…", clock.now())


def session(clock: SetClock, secret: str, *, user: str | None = "anna", key_id: str | None = None) -> Session:
    tenant = ACME if user else None
    return Session(hash_key(secret), user or "a key", tenant, user, key_id, clock.now(), clock.now() + HOUR)


async def test_who_is_vouched_for_is_kept_by_a_lasting_id(store: Store, clock: SetClock) -> None:
    anna = User("anna", ACME, None, clock.now(), "https://issuer.example 1")
    await store.admit(anna)
    await store.admit(anna)
    assert await store.user("anna") == anna
    await store.begin_session(session(clock, "s1"))
    boss = dataclasses.replace(anna, tenant_id=None)
    await store.admit(boss)  # its role is another now, and so is that of its sessions
    assert (await store.session(hash_key("s1"))).tenant_id is None
    with pytest.raises(Conflict, match="anna"):
        await store.admit(dataclasses.replace(anna, subject="https://issuer.example 2"))
    with pytest.raises(NotFound, match="nobody"):
        await store.admit(dataclasses.replace(anna, tenant_id=TenantId("nobody")))
    assert await store.user("anna") == boss
    await store.admit(dataclasses.replace(boss, name="ann"))
    assert [one.name for one in await store.users()] == ["ann"]
    assert await store.session(hash_key("s1")) is None
    await store.add_user(user(clock))
    with pytest.raises(Conflict, match="anna"):
        await store.admit(boss)
    assert [one.action for one in await store.audit_log(None, limit=10) if one.action == "user.admit"] == [
        *("user.admit",) * 3,
    ]


async def test_users_are_added_once_listed_and_removed(store: Store, clock: SetClock) -> None:
    anna, boss = user(clock), user(clock, "boss@example.com", None)
    await store.add_user(boss)
    await store.add_user(anna)

    assert list(await store.users()) == [anna, boss]
    assert (await store.user("anna"), await store.user("nobody")) == (anna, None)
    with pytest.raises(Conflict, match="anna"):
        await store.add_user(anna)
    with pytest.raises(NotFound, match="nobody"):
        await store.add_user(user(clock, "else", TenantId("nobody")))
    await store.remove_user("anna")
    with pytest.raises(NotFound, match="anna"):
        await store.remove_user("anna")
    assert list(await store.users()) == [boss]


async def test_a_session_lasts_its_time(store: Store, clock: SetClock) -> None:
    await store.add_user(user(clock))
    begun = session(clock, "secret")
    await store.begin_session(begun)

    assert await store.session(hash_key("secret")) == begun
    assert await store.session(hash_key("another")) is None
    clock.pass_by(HOUR)
    assert await store.session(hash_key("secret")) is None


async def test_a_session_ends_with_its_user_its_key_or_by_itself(store: Store, clock: SetClock) -> None:
    key, _ = new_key(None, "a key", now=clock.now(), randomness=bytes(40))
    await store.add_key(key)
    await store.add_user(user(clock))
    by_key = session(clock, "by key", user=None, key_id=key.id)
    for one in (session(clock, "of anna"), session(clock, "signed out"), by_key):
        await store.begin_session(one)
    assert await store.session(hash_key("by key")) == by_key

    await store.end_session(hash_key("signed out"))
    await store.end_session(hash_key("signed out"))
    await store.remove_user("anna")
    await store.revoke_key(key.id)

    for secret in ("signed out", "of anna", "by key"):
        assert await store.session(hash_key(secret)) is None


async def tried(store: Store, tries: Tries, count: int) -> list[bool]:
    return [await store.try_sign_in(tries) is None for _ in range(count)]


async def test_a_name_from_one_address_is_slowed_and_says_for_how_long(store: Store, clock: SetClock) -> None:
    assert await tried(store, ANNA, 7) == [True] * 5 + [False] * 2
    assert await store.try_sign_in(ANNA) == timedelta(seconds=60)
    assert await store.try_sign_in(Tries("bert", ANNA.address)) is None
    assert await store.try_sign_in(Tries("anna", "10.0.0.2")) is None  # nobody is locked out by a stranger

    clock.pass_by(timedelta(seconds=60))

    assert await tried(store, ANNA, 2) == [True, False]
    await store.forget_tries(ANNA)
    assert await tried(store, ANNA, 6) == [True] * 5 + [False]
    clock.pass_by(HOUR)
    assert await tried(store, ANNA, 6) == [True] * 5 + [False]


async def test_an_address_that_tries_many_names_is_slowed(store: Store) -> None:
    answers = [await store.try_sign_in(Tries(f"name{n}", "10.0.0.1")) for n in range(31)]

    assert answers == [None] * 30 + [timedelta(seconds=10)]


async def test_a_name_that_many_addresses_try_is_slowed(store: Store) -> None:
    answers = [await store.try_sign_in(Tries("anna", f"10.0.0.{n}")) for n in range(61)]

    assert answers == [None] * 60 + [timedelta(seconds=10)]


async def test_processes_count_together(database: Database, store: Store, clock: SetClock) -> None:
    others = [await connect(database.url, clock=clock, secret_key=KEY) for _ in range(3)]
    try:
        answers = await asyncio.gather(*(other.try_sign_in(ANNA) for other in others * 4))
    finally:
        for other in others:
            await other.close()

    assert answers.count(None) == 5
    assert "anna" not in database.dump()
