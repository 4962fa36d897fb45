"""What happens when the database is locked, full, broken, closed or restarted: nothing acknowledged is lost."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from chaos.proxy import Upstream
from sqlalchemy import make_url

from callspool.domain.errors import Misconfigured, NotFound, StoreUnavailable
from callspool.domain.ids import TenantId
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.ports.store import Store
from callspool.domain.recording import State
from callspool.domain.tenant import Tenant
from callspool.store import connect
from callspool.store.envelope import Envelope
from callspool.store.postgres import PostgresDatabase
from callspool.store.sqlstore import SqlStore
from tests.contract.test_store import KEPT, fetching, notice, queued
from tests.fixtures.databases import ACME, KEY, OTHER, Database, SetClock, SqliteFile
from tests.fixtures.gate import gate
from tests.fixtures.made import account
from tests.fixtures.postgres import Postgres, name_in


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    return SqliteFile(tmp_path / "folder" / "store.db")


@pytest.fixture
async def sqlite_store(file: SqliteFile) -> AsyncIterator[Store]:
    store = await connect(file.url, clock=SetClock(), secret_key=KEY)
    try:
        await store.add_tenant(Tenant(ACME, "Acme"))
        await store.add_account(account())
        yield store
    finally:
        await store.close()


@contextmanager
def locked(file: SqliteFile) -> Iterator[None]:
    """Hold the file's write lock, as another process might."""
    connection = sqlite3.connect(file.path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


# --- both engines ------------------------------------------------------------------------------------


@pytest.mark.rule("S2", "I2")
async def test_everything_is_there_after_a_restart(database: Database, store: Store) -> None:
    row = await fetching(store)
    ready = await store.keep(row.id, row.attempt, KEPT, actor="worker:1")
    before = [await store.tenants(), await store.accounts(), await store.history(None, row.id), await store.count(None)]
    await store.close()

    again = await connect(database.url, clock=SetClock(), secret_key=KEY)
    try:
        after = [
            await again.tenants(),
            await again.accounts(),
            await again.history(None, row.id),
            await again.count(None),
        ]
        assert await again.get(ACME, row.id) == ready
        assert after == before
    finally:
        await again.close()


async def test_closed_store_is_unavailable_and_closes_again(store: Store) -> None:
    await store.close()
    await store.close()


async def test_failing_write_harms_none_of_its_neighbours(store: Store) -> None:
    row = await queued(store)

    results = await asyncio.gather(
        *(store.add_tenant(Tenant(TenantId(f"t{number % 20}"), "twice each")) for number in range(40)),
        *(store.cancel(OTHER, row.id, actor="key:1") for _ in range(5)),
        *(store.record(notice(tenant_id=TenantId("nobody"), provider_recording_id="x"), actor="w") for _ in range(5)),
        store.record(notice(provider_recording_id="y"), actor="webhook"),
        return_exceptions=True,
    )

    assert sum(result is None for result in results) == 20
    assert sum(isinstance(result, NotFound) for result in results) == 10
    assert len([tenant for tenant in await store.tenants() if tenant.name == "twice each"]) == 20
    page = await store.list(RecordingFilter(), cursor=None, limit=10)
    assert {recording.provider_recording_id for recording in page.recordings} == {row.provider_recording_id, "y"}


async def test_two_stores_write_the_same_database_at_once(database: Database, store: Store) -> None:
    second = await connect(database.url, clock=SetClock(), secret_key=KEY)
    try:
        answers = await asyncio.gather(
            *(
                (store, second)[number % 2].record(notice(provider_recording_id=str(number // 4)), actor="webhook")
                for number in range(80)
            )
        )
        assert len({answer.recording.id for answer in answers}) == 20
        assert sum(answer.changed for answer in answers) == 20
        assert [count.count for count in await second.count(None)] == [20]
    finally:
        await second.close()


WRITE_UNTIL_KILLED = """
    import asyncio, sys
    from callspool.store import connect
    from tests.contract.test_store import notice
    from tests.fixtures.databases import KEY, SetClock

    async def main():
        store = await connect(sys.argv[1], clock=SetClock(), secret_key=KEY)
        numbers = iter(range(10**9))

        async def write():
            for number in numbers:
                row = (await store.record(notice(provider_recording_id=str(number)), actor="webhook")).recording
                print(row.id, flush=True)

        await asyncio.gather(*(write() for _ in range(8)))

    asyncio.run(main())
"""


@pytest.mark.rule("I2", "F27")
async def test_what_was_answered_before_a_kill_is_kept(database: Database, store: Store) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITE_UNTIL_KILLED), database.url]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    lines = [await process.stdout.readline() for _ in range(100)]
    process.kill()
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()

    answered = [line.decode().strip() for line in lines if line.endswith(b"\n")]
    there = {row.id for row in await store.unfinished(None, limit=10_000)}
    events = {entry.recording_id for entry in await store.events_after(None, 0, limit=10_000)}

    assert len(answered) >= 100
    assert set(answered) <= there
    assert events == there


# --- SQLite ------------------------------------------------------------------------------------------


async def test_file_locked_for_a_while_delays_writes_and_stops_no_reader(file: SqliteFile, sqlite_store: Store) -> None:
    with locked(file):
        writing = asyncio.create_task(sqlite_store.record(notice(), actor="webhook"))
        assert [tenant.id for tenant in await sqlite_store.tenants()] == [ACME]
        assert not writing.done()

    assert (await writing).recording.state is State.QUEUED


async def test_file_locked_for_long_is_unavailable_within_bounded_time(file: SqliteFile, sqlite_store: Store) -> None:
    with locked(file):
        before = time.monotonic()
        results = await asyncio.gather(
            sqlite_store.ping(), *(queued(sqlite_store) for _ in range(20)), return_exceptions=True
        )
        waited = time.monotonic() - before

    assert all(isinstance(result, StoreUnavailable) for result in results), results
    assert "locked" in str(results[0])
    assert waited < 12
    assert await sqlite_store.last_seq() == 0
    assert (await queued(sqlite_store)).version == 1


FILL = """
    import asyncio, resource, sys
    from callspool.domain.errors import StoreUnavailable
    from callspool.store import connect
    from tests.contract.test_store import notice
    from tests.fixtures.databases import KEY, SetClock

    async def main():
        store = await connect(sys.argv[1], clock=SetClock(), secret_key=KEY)
        free = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, free[1]))
        answers = await asyncio.gather(
            *(store.record(notice(provider_recording_id=str(n)), actor="w") for n in range(3000)),
            return_exceptions=True,
        )
        assert {type(answer) for answer in answers if isinstance(answer, BaseException)} == {StoreUnavailable}, answers
        for answer in answers:
            if not isinstance(answer, StoreUnavailable):
                assert await store.get(None, answer.recording.id) == answer.recording
        resource.setrlimit(resource.RLIMIT_FSIZE, free)
        after = await store.record(notice(provider_recording_id="after"), actor="w")
        assert after.changed
        assert len(await store.unfinished(None, limit=9999)) == sum(
            not isinstance(answer, StoreUnavailable) for answer in answers
        ) + 1
        await store.close()
        print("fine")

    asyncio.run(main())
"""


async def test_full_disk_refuses_writes_and_loses_none_that_it_took(file: SqliteFile, sqlite_store: Store) -> None:
    command = [sys.executable, "-c", textwrap.dedent(FILL), file.url]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)

    assert done.stdout == "fine\n", done.stderr


async def test_file_is_for_its_owner_alone(file: SqliteFile, sqlite_store: Store) -> None:
    for path in file.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_file_that_is_no_database_is_unavailable(file: SqliteFile) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(os.urandom(10_000))

    with pytest.raises(StoreUnavailable, match="not a database"):
        await connect(file.url, clock=SetClock(), secret_key=KEY)


async def test_closed_file_refuses_reads_and_writes(sqlite_store: Store) -> None:
    await sqlite_store.close()

    with pytest.raises(StoreUnavailable, match="closed"):
        await sqlite_store.tenants()
    with pytest.raises(StoreUnavailable, match="closed"):
        await queued(sqlite_store)


async def test_writes_in_line_are_finished_before_it_closes(file: SqliteFile, sqlite_store: Store) -> None:
    writes = [asyncio.create_task(queued(sqlite_store, provider_recording_id=str(n))) for n in range(200)]
    await asyncio.sleep(0)
    await sqlite_store.close()

    assert {(await write).state for write in writes} == {State.QUEUED}
    assert "-wal" not in "".join(path.name for path in file.path.parent.iterdir())


async def test_event_loop_goes_on_while_a_write_waits(file: SqliteFile, sqlite_store: Store) -> None:
    turns = 0
    with locked(file):
        writing = asyncio.create_task(queued(sqlite_store))
        while turns < 1000:
            await asyncio.sleep(0)
            turns += 1
        assert not writing.done()
    await writing


# --- PostgreSQL --------------------------------------------------------------------------------------


async def test_connections_that_the_server_closed_are_replaced(postgres: Postgres, postgres_url: str) -> None:
    store = await connect(postgres_url, clock=SetClock(), secret_key=KEY)
    try:
        await store.add_tenant(Tenant(ACME, "Acme"))
        postgres.psql(
            "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'callspool%'"
        )

        assert await store.tenant(ACME) == Tenant(ACME, "Acme")
    finally:
        await store.close()


@pytest.mark.rule("I4")
async def test_a_frozen_transaction_is_ended_by_the_server_and_others_go_on(postgres_url: str) -> None:
    address = make_url(postgres_url)
    others = await connect(postgres_url, clock=SetClock(), secret_key=KEY)
    async with gate(Upstream(path=f"{address.query['host']}/.s.PGSQL.5432")) as before_commit:
        through = address.set(host="127.0.0.1", port=before_commit.port, query={})
        database = await PostgresDatabase.connect(through, timedelta(seconds=6))
        frozen = SqlStore(database, SetClock(), Envelope(KEY))
        try:
            await others.add_tenant(Tenant(ACME, "Acme"))
            await others.add_account(account())
            row = await fetching(others)
            before_commit.holds = lambda said: b"COMMIT;" in said
            late = asyncio.create_task(frozen.keep(row.id, row.attempt, KEPT, actor="worker:1"))
            await before_commit.has_held()

            async with asyncio.timeout(5):  # it would give up by itself after 6 s: this one is not really frozen
                await queued(others, provider_recording_id="another")
                newer = await others.claim(row.id, actor="worker:2")

            assert newer is not None
            assert newer.attempt == row.attempt + 1
            before_commit.release()
            with pytest.raises(StoreUnavailable):
                await late
            assert await frozen.keep(row.id, row.attempt, KEPT, actor="worker:1") is None
            assert await others.get(None, row.id) == newer
        finally:
            await frozen.close()
            await others.close()


async def test_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    for address in (f"postgresql://postgres@/x?host={tmp_path}", "postgresql://postgres:pw@127.0.0.1:1/x"):
        with pytest.raises(StoreUnavailable) as refused:
            await connect(address, clock=SetClock(), secret_key=KEY)
        assert "pw" not in str(refused.value)


async def test_database_that_does_not_exist_is_a_mistake_in_the_settings(postgres_url: str) -> None:
    with pytest.raises(Misconfigured, match="CALLSPOOL_DATABASE_URL"):
        await connect(postgres_url.replace("/callspool_", "/missing_"), clock=SetClock(), secret_key=KEY)


async def test_server_that_only_reads_is_unavailable_for_writing(postgres: Postgres, postgres_url: str) -> None:
    store = await connect(postgres_url, clock=SetClock(), secret_key=KEY)
    await store.close()
    name = name_in(postgres_url)
    postgres.psql("postgres", f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    store = await connect(postgres_url, clock=SetClock(), secret_key=KEY)
    try:
        assert await store.tenants() == []
        with pytest.raises(StoreUnavailable, match="read-only"):
            await store.ping()
    finally:
        await store.close()
