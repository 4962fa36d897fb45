"""Group commit in SQLite: what shares a transaction shares neither its failure nor a false answer."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from callspool.domain.errors import CallspoolError, StoreUnavailable
from callspool.store.sqlite import SqliteDatabase


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "store.db")
    try:
        yield database
    finally:
        await database.close()


def adding(name: str, then: Callable[[Connection], None] = lambda connection: None) -> Callable[[Connection], str]:
    def add(connection: Connection) -> str:
        names = "id, name, slots, weight, paused"
        connection.exec_driver_sql(f"INSERT INTO tenants ({names}) VALUES (?, 'x', 1, 1.0, 0)", (name,))
        # X(id, name, slots, weight, paused) VALUES (?, 'x', 1, 1.0, 0)", (name,))
        then(connection)
        return name

    return add


def names(connection: Connection) -> list[str]:
    return [row.id for row in connection.exec_driver_sql("SELECT id FROM tenants ORDER BY id")]


class Stop(Exception):
    """Raised in the middle of a write."""


def stop(connection: Connection) -> None:
    raise Stop


def break_at_commit(connection: Connection) -> None:
    """Write what SQLite refuses only at the COMMIT."""
    connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    connection.exec_driver_sql(
        "INSERT INTO api_keys (id, tenant_id, name, secret_sha256, created_at) "
        "VALUES ('k', 'nobody', 'x', 'h', '2026-01-01 00:00:00.000000')"
    )


async def test_write_that_fails_half_way_takes_back_only_itself(database: SqliteDatabase) -> None:
    answers = await asyncio.gather(
        database.write(adding("a")),
        database.write(adding("b", stop)),
        database.write(adding("b", stop)),
        database.write(adding("c")),
        return_exceptions=True,
    )

    assert [type(answer) for answer in answers] == [str, Stop, Stop, str]
    assert await database.read(names) == ["a", "c"]


async def test_nobody_is_answered_before_the_commit(database: SqliteDatabase) -> None:
    with pytest.raises(CallspoolError, match="FOREIGN KEY"):
        await database.write(adding("a", break_at_commit))

    assert await database.read(names) == []


async def test_writes_of_one_moment_share_a_commit(database: SqliteDatabase, tmp_path: Path) -> None:
    seen: set[int] = set()

    def look(connection: Connection) -> None:
        other = sqlite3.connect(tmp_path / "store.db")
        seen.add(other.execute("SELECT count(*) FROM tenants").fetchone()[0])
        other.close()

    await asyncio.gather(*(database.write(adding(f"{number:03}", look)) for number in range(200)))

    assert len(seen) < 20
    assert len(await database.read(names)) == 200


async def test_each_commit_is_on_the_disk_before_the_answer(database: SqliteDatabase) -> None:
    full = 2

    assert await database.write(lambda c: c.exec_driver_sql("PRAGMA synchronous").scalar()) == full
    assert await database.write(lambda c: c.exec_driver_sql("PRAGMA journal_mode").scalar()) == "wal"


async def test_reader_cannot_write(database: SqliteDatabase) -> None:
    with pytest.raises(StoreUnavailable, match="readonly"):
        await database.read(adding("a"))


async def test_caller_that_gives_up_disturbs_nobody(database: SqliteDatabase) -> None:
    writes = [asyncio.create_task(database.write(adding(f"{number:03}"))) for number in range(100)]
    await asyncio.sleep(0)
    for write in writes[::2]:
        write.cancel()

    answers = await asyncio.gather(*writes, return_exceptions=True)

    assert [answer for answer in answers if isinstance(answer, str)] == [f"{number:03}" for number in range(1, 100, 2)]


async def test_another_event_loop_may_use_it(database: SqliteDatabase) -> None:
    assert await asyncio.to_thread(asyncio.run, database.write(adding("a"))) == "a"
    assert await database.read(names) == ["a"]


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
@pytest.mark.parametrize("is_wal", [False, True])
async def test_opening_waits_while_another_process_has_the_file(tmp_path: Path, lock: str, is_wal: bool) -> None:
    path = tmp_path / "new.db"
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        if is_wal:
            holder.execute("PRAGMA journal_mode=WAL")
        holder.execute(lock)
        opening = asyncio.create_task(asyncio.to_thread(SqliteDatabase, path))
        await asyncio.wait({opening}, timeout=0.4)
        assert not opening.done()
        holder.execute("COMMIT")
        database = await opening
    finally:
        holder.close()

    assert await database.read(names) == []
    await database.close()
