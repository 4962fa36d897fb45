"""What every store must do with one's sessions: list them, end them, and end them with a password."""

from dataclasses import replace
from datetime import timedelta

import pytest

from callspool.domain.errors import NotFound
from callspool.domain.ports.store import Store
from callspool.domain.session import Session, User
from tests.fixtures.databases import ACME, SetClock


async def begun(store: Store, clock: SetClock, name: str, secret: str, hours: int = 1) -> Session:
    session = Session(secret * 64, name, ACME, name, None, clock.now(), clock.now() + timedelta(hours=hours))
    await store.begin_session(session)
    clock.pass_by(timedelta(seconds=1))
    return session


async def test_sessions_are_listed_and_ended_for_their_user_alone(store: Store, clock: SetClock) -> None:
    for name in ("anna", "boris"):
        await store.add_user(User(name, ACME, "hash", clock.now()))
    first, second = await begun(store, clock, "anna", "1"), await begun(store, clock, "anna", "2", hours=3)
    other = await begun(store, clock, "boris", "3", hours=5)
    assert await store.sessions_of("anna") == [first, second]

    clock.pass_by(timedelta(hours=2))
    assert await store.sessions_of("anna") == [second]
    assert await store.end_sessions("anna") == 2
    assert await store.session(second.secret_sha256) is None
    assert await store.sessions_of("boris") == [other]


async def test_a_password_ends_all_sessions_but_the_one_that_is_named(store: Store, clock: SetClock) -> None:
    user = User("anna", ACME, "hash", clock.now())
    await store.add_user(user)
    kept, ended = await begun(store, clock, "anna", "1"), await begun(store, clock, "anna", "2")

    assert await store.set_password("anna", "another", keep=kept.secret_sha256) == 1
    assert await store.user("anna") == replace(user, password_hash="another")
    assert await store.session(ended.secret_sha256) is None
    assert await store.set_password("anna", "a third") == 1
    assert await store.sessions_of("anna") == []
    assert [one.action for one in await store.audit_log(None, limit=2)] == ["user.password"] * 2
    assert "another" not in "".join(one.detail for one in await store.audit_log(None, limit=2))
    with pytest.raises(NotFound):
        await store.set_password("nobody", "x")
