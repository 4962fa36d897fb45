"""That migrations make what the tables declare, whoever starts first, on both engines."""

import asyncio
import subprocess
import sys
import textwrap

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from callspool.domain.errors import Misconfigured
from callspool.domain.ports.recordings import RecordingFilter
from callspool.store import connect
from callspool.store.tables import metadata
from tests.fixtures.databases import KEY, Database, SetClock


@pytest.fixture
def database(empty_database: Database) -> Database:
    """Here the making of the schema is what is tested."""
    return empty_database


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True, "target_metadata": metadata}
    )
    return list(compare_metadata(context, metadata))


async def compare(url: str) -> list[object]:
    address = make_url(url)
    if address.drivername == "sqlite":
        engine = create_engine(address)
        try:
            with engine.connect() as connection:
                return differences(connection)
        finally:
            engine.dispose()
    engine_async = create_async_engine(address.set(drivername="postgresql+asyncpg"))
    try:
        async with engine_async.connect() as connection_async:
            return await connection_async.run_sync(differences)
    finally:
        await engine_async.dispose()


async def test_migrated_database_has_exactly_the_declared_tables(database: Database) -> None:
    store = await connect(database.url, clock=SetClock(), secret_key=KEY)
    await store.close()

    assert await compare(database.url) == []


async def test_difference_between_tables_and_database_would_be_seen(database: Database) -> None:
    store = await connect(database.url, clock=SetClock(), secret_key=KEY)
    await store.close()
    database.execute("ALTER TABLE recordings ADD COLUMN extra TEXT")
    database.execute("DROP INDEX recordings_state_id_ix")

    assert len(await compare(database.url)) == 2


START = """
    import asyncio, sys
    from callspool.domain.ports.recordings import RecordingFilter
    from callspool.store import connect
    from tests.fixtures.databases import KEY, SetClock

    async def main():
        print("ready", flush=True)
        sys.stdin.readline()
        store = await connect(sys.argv[1], clock=SetClock(), secret_key=KEY)
        await store.list(RecordingFilter(), cursor=None, limit=1)
        await store.close()

    asyncio.run(main())
"""


async def test_processes_that_start_at_once_make_one_schema(database: Database) -> None:
    command = [sys.executable, "-c", textwrap.dedent(START), database.url]
    pipe = subprocess.PIPE
    started = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(4)]
    for process in started:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    ended = await asyncio.gather(*(process.communicate(b"\n") for process in started))

    assert [process.returncode for process in started] == [0] * 4, ended
    assert await compare(database.url) == []


async def test_stores_of_one_process_that_open_at_once_make_one_schema(database: Database) -> None:
    stores = await asyncio.gather(*(connect(database.url, clock=SetClock(), secret_key=KEY) for _ in range(4)))
    for store in stores:
        assert (await store.list(RecordingFilter(), cursor=None, limit=1)).recordings == ()
        await store.close()

    assert await compare(database.url) == []


async def test_schema_of_a_newer_callspool_is_left_as_it_is(database: Database) -> None:
    store = await connect(database.url, clock=SetClock(), secret_key=KEY)
    await store.close()
    database.execute("ALTER TABLE recordings ADD COLUMN extra TEXT")
    database.execute("UPDATE alembic_version SET version_num = 'of-the-future'")

    store = await connect(database.url, clock=SetClock(), secret_key=KEY)
    try:
        await store.ping()
    finally:
        await store.close()


@pytest.mark.parametrize(
    "url",
    [
        *("", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://host/name", "postgresql+psycopg://host/name"),
        "postgresql://host:port/name",
    ],
)
async def test_address_that_is_none_says_what_is_right(url: str) -> None:
    with pytest.raises(Misconfigured, match="CALLSPOOL_DATABASE_URL must be"):
        await connect(url, clock=SetClock(), secret_key=KEY)


@pytest.mark.parametrize(
    ("option", "says"),
    [("nonsense=1", "nonsense is no option; there are host, "), ("sslmode=on", "sslmode is disable, .*, not on")],
)
async def test_what_stands_wrongly_behind_a_servers_address_is_named(option: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        await connect(f"postgresql://me:s3cret@127.0.0.1:1/name?{option}", clock=SetClock(), secret_key=KEY)


async def test_secret_key_of_another_length_is_refused() -> None:
    with pytest.raises(Misconfigured, match="it must have 32"):
        await connect("sqlite:///never-made.db", clock=SetClock(), secret_key=b"short")
