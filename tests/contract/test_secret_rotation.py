"""Another secret key: everything opens before, while and after, whoever dies in between."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callspool.domain.audit import By
from callspool.domain.errors import Misconfigured
from callspool.domain.ids import AccountId
from callspool.domain.ports.store import Store
from callspool.domain.tenant import PrivateKey, Tenant
from callspool.store import connect, rotation, tables
from callspool.store.keyfile import KeyFile
from tests.fixtures.databases import ACME, Database, SetClock
from tests.fixtures.made import account

BY = By("cli:test")


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    file = KeyFile(tmp_path / "secret.key")
    file.make()
    return file


@pytest.fixture
async def store(database: Database, keys: KeyFile) -> AsyncIterator[Store]:
    """A store with 120 accounts: more than a batch."""
    store = await connect(database.url, clock=SetClock(), secret_key=keys)
    await store.add_tenant(Tenant(ACME, "Acme"))
    await asyncio.gather(*(store.add_account(made(index)) for index in range(120)))
    try:
        yield store
    finally:
        await store.close()


def made(index: int) -> object:
    return account(
        id=AccountId(f"account-{index:03}"),
        auth_token=f"token-{index}",
        api_key="SK" + "1" * 32,
        api_secret=f"secret-{index}",
        private_keys=(PrivateKey("CR" + "1" * 32, f"pem {index}"),),
    )


async def reseal(store: Store) -> int:
    return await store.reseal(lambda done, total: None, by=BY)


async def opens_with_only(file: KeyFile, database: Database, key: bytes) -> list[object]:
    file.path.write_text(key.hex() + "\n")
    again = await connect(database.url, clock=SetClock(), secret_key=file)
    try:
        assert (await again.audit_verify()).broken is None
        await again.signing_key()
        return list(await again.accounts())
    finally:
        await again.close()


async def test_after_it_the_new_key_alone_opens_everything(
    store: Store, keys: KeyFile, database: Database, tmp_path: Path
) -> None:
    signing = await store.signing_key()
    (old,) = keys()
    keys.add()

    looked: list[tuple[int, int]] = []
    resealed = await store.reseal(lambda done, total: looked.append((done, total)), by=BY)

    assert resealed == 120 * 3 + 2, "all that is sealed: the accounts, the audit log's key, the links' key"
    assert looked[-1] == (122, 122)
    keys.retire()
    (new,) = keys()
    assert await store.signing_key() == signing, "links that were given out go on"
    assert await opens_with_only(KeyFile(tmp_path / "copy"), database, new) == [made(index) for index in range(120)]
    with pytest.raises(Misconfigured, match="does not open"):
        await opens_with_only(KeyFile(tmp_path / "copy"), database, old)
    entry = (await store.audit_log(None, limit=1))[0]
    assert (entry.action, entry.actor, entry.detail) == ("secrets.reseal", "cli:test", '{"resealed": 362}')


async def test_a_run_that_was_broken_off_is_taken_up_again(
    store: Store, keys: KeyFile, database: Database, tmp_path: Path
) -> None:
    keys.add()

    class Killed(Exception):
        pass

    def die(done: int, total: int) -> None:
        if done >= 100:
            raise Killed

    with pytest.raises(Killed):
        await store.reseal(die, by=BY)
    assert await store.accounts() == [made(index) for index in range(120)], "both keys are there: all opens"

    assert await reseal(store) == 20 * 3 + 1
    keys.retire()
    assert len(await opens_with_only(KeyFile(tmp_path / "copy"), database, keys()[0])) == 120


async def test_a_running_process_seals_with_the_new_key_as_soon_as_it_is_there(
    store: Store, keys: KeyFile, database: Database
) -> None:
    other = await connect(database.url, clock=SetClock(), secret_key=KeyFile(keys.path))
    try:
        await other.accounts()
        keys.add()
        await reseal(store)
        await other.set_account(made(7))
        keys.retire()
        assert (await other.account(AccountId("account-007"))) == made(7)
        assert len(await other.accounts()) == 120
    finally:
        await other.close()


async def test_what_is_changed_meanwhile_is_not_lost(store: Store, keys: KeyFile) -> None:
    keys.add()

    async def change() -> None:
        for index in range(0, 120, 10):
            await store.set_account(account(id=AccountId(f"account-{index:03}"), auth_token="newer"))

    await asyncio.gather(reseal(store), change())

    tokens = {one.id: one.auth_token for one in await store.accounts()}
    assert all(tokens[AccountId(f"account-{index:03}")] == "newer" for index in range(0, 120, 10))
    assert tokens[AccountId("account-001")] == "token-1"


def test_no_column_that_holds_something_sealed_is_forgotten() -> None:
    sealed = {
        (table.name, column.name)
        for table in tables.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, tables.LargeBinary)
    }
    assert sealed == {(place.table.name, field) for place in rotation.PLACES for field in place.fields}


def test_a_retired_key_is_kept_for_old_backups_and_nobody_else_reads_it(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "secret.key")
    file.make()
    seen = [file()[0]]
    for _ in range(2):
        file.add()
        seen.insert(0, file()[0])
        retired = file.retire()
    assert file() == (seen[0],)
    assert KeyFile(retired)() == tuple(seen[1:])
    assert retired.stat().st_mode & 0o077 == file.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "zz", "00", "00" * 33, "é"])
def test_a_key_file_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret.key").write_text(text)
    with pytest.raises(Misconfigured, match=r"secret\.key"):
        KeyFile(tmp_path / "secret.key")()
