"""The second wall between tenants, in PostgreSQL: what a statement without a tenant sees under a tenant's setting."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from callspool.domain.audit import By, Deed
from callspool.domain.errors import CallspoolError, NotFound
from callspool.domain.ids import TenantId
from callspool.domain.listening import ListenForm, Told
from callspool.domain.ports.provider import ProviderStatus
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.ports.store import Store
from callspool.domain.tenant import Tenant
from callspool.store import connect, lists
from callspool.store.postgres import PostgresDatabase
from callspool.store.sqlstore import SqlStore
from tests.contract.test_store_purge import queued, ready
from tests.fixtures import databases
from tests.fixtures.databases import ACME, KEY, OTHER, SetClock
from tests.fixtures.made import account

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)

TABLES = {"recordings": "tenant_id", "events": "tenant_id", "repeats": "tenant_id", "listens": "tenant_id"}
TABLES |= {"tallies": "tenant_id", "tenants": "id"}


@pytest.fixture
async def walled(store: Store, clock: SetClock, database: databases.PostgresDatabase) -> PostgresDatabase:
    """A store with something of two tenants in every table."""
    for number, tenant in enumerate((ACME, OTHER)):
        row = await ready(store, number, tenant_id=tenant)
        told = Told("0" * 16, row.id, tenant, row.attempt, ListenForm.AUDIO, "key")
        await store.audit_all([Deed(told.begun(), By("key:1", "192.0.2.7"), clock.now())])
        database.execute(
            f"INSERT INTO listens (recording_id, tenant_id, at, actor) VALUES ('{row.id}', '{tenant}', now(), 'key:1')"
        )
        await queued(store, number, tenant_id=tenant)
        (found,) = (await store.list(RecordingFilter(tenant_id=tenant), cursor=None, limit=9)).recordings
        await store.note_repeat(found, ProviderStatus.COMPLETED)
        await store.hold_recording(None, row.id, why="a matter")
        await store.hold_tenant(tenant, why="a matter")
    assert isinstance(store, SqlStore)
    assert isinstance(store._database, PostgresDatabase)
    return store._database


def owners(table: str, column: str) -> Callable[[Connection], set[str]]:
    def ask(connection: Connection) -> set[str]:
        return set(connection.execute(text(f"SELECT {column} FROM {table}")).scalars())

    return ask


@pytest.mark.rule("I9")
async def test_any_statement_for_a_tenant_sees_that_tenant_alone(walled: PostgresDatabase) -> None:
    assert walled.walled
    for table, column in TABLES.items():
        ask = owners(table, column)
        assert await walled.read(ask, tenant=ACME) == {ACME}, table
        assert await walled.read(ask, tenant=TenantId("nobody")) == set(), table
        assert await walled.read(ask) == {ACME, OTHER}, table
    held = await walled.read(lambda c: c.execute(text("SELECT count(*) FROM holds")).scalar(), tenant=ACME)
    assert held == 2


@pytest.mark.rule("I9")
async def test_a_query_of_ours_that_forgot_its_tenant_finds_nothing_of_others(walled: PostgresDatabase) -> None:
    forgotten = await walled.read(lambda c: lists.page(c, RecordingFilter(), None, 10), tenant=ACME)
    assert {one.tenant_id for one in forgotten.recordings} == {ACME}


@pytest.mark.parametrize("table", ["accounts", "api_keys", "users", "sessions", "audit", "webhook_endpoints"])
async def test_for_a_tenant_there_are_no_secrets_and_no_log(walled: PostgresDatabase, table: str) -> None:
    with pytest.raises(CallspoolError, match="permission denied"):
        await walled.read(lambda c: c.execute(text(f"SELECT * FROM {table}")).all(), tenant=ACME)


@pytest.mark.rule("I9")
async def test_of_the_log_a_tenant_sees_who_listened_to_its_own_and_not_from_where(walled: PostgresDatabase) -> None:
    def ask(connection: Connection) -> list[tuple[str, str]]:
        rows = connection.execute(text("SELECT action, tenant_id FROM audit ORDER BY seq"))
        return [(row.action, row.tenant_id) for row in rows]

    assert await walled.read(ask, tenant=ACME) == [("recording.listen", ACME)]
    assert await walled.read(ask, tenant=TenantId("nobody")) == []
    assert len(await walled.read(ask)) > 2
    with pytest.raises(CallspoolError, match="permission denied"):
        await walled.read(lambda c: c.execute(text("SELECT address FROM audit")).all(), tenant=ACME)


async def test_for_a_tenant_nothing_can_be_written(walled: PostgresDatabase) -> None:
    with pytest.raises(CallspoolError, match=r"permission denied|read-only"):
        await walled.read(lambda c: c.execute(text("UPDATE recordings SET tenant_id = 'acme'")), tenant=ACME)


async def test_the_role_without_a_tenant_sees_nothing(
    walled: PostgresDatabase, database: databases.PostgresDatabase
) -> None:
    seen = database.server.psql(database.name, "SET ROLE callspool_tenant; SELECT count(*) FROM recordings")
    assert seen.split() == ["SET", "0"]


@pytest.mark.parametrize("name", ["", "acme'; RESET ROLE; --", "Acme", "a" * 64])
async def test_what_is_no_tenants_name_is_never_spelt_out(walled: PostgresDatabase, name: str) -> None:
    with pytest.raises(NotFound):
        await walled.read(owners("recordings", "tenant_id"), tenant=TenantId(name))


async def test_the_wall_does_not_outlive_its_read(walled: PostgresDatabase) -> None:
    """After an error, after a cancellation, and among many at once: the operator always sees all."""

    async def breaks() -> None:
        with pytest.raises(CallspoolError):
            await walled.read(lambda c: c.execute(text("SELECT 1 / 0")), tenant=ACME)

    async def is_cancelled() -> None:
        reading = asyncio.create_task(walled.read(lambda c: c.execute(text("SELECT pg_sleep(5)")), tenant=ACME))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    ask = owners("recordings", "tenant_id")
    for _ in range(5):
        await asyncio.gather(breaks(), is_cancelled(), *(walled.read(ask, tenant=OTHER) for _ in range(5)))
        seen = await asyncio.gather(*(walled.read(ask) for _ in range(12)))
        assert seen == [{ACME, OTHER}] * 12


@pytest.mark.parametrize(("may", "walled_then"), [("NOCREATEROLE", False), ("CREATEROLE", True)])
async def test_a_user_that_may_make_no_roles_works_without_the_wall(
    database: databases.PostgresDatabase, clock: SetClock, may: str, walled_then: bool
) -> None:
    server = database.server
    empty = databases.PostgresDatabase(server, server.new_database())  # the user makes the schema in it
    user = f"app_{empty.name}"
    server.psql("postgres", f"CREATE ROLE {user} LOGIN {may}")
    server.psql("postgres", f"ALTER DATABASE {empty.name} OWNER TO {user}")
    if walled_then:  # who may make roles needs to be let into one that is there
        server.psql("postgres", "DO $$ BEGIN CREATE ROLE callspool_tenant; EXCEPTION WHEN OTHERS THEN NULL; END $$")
        server.psql("postgres", f"GRANT callspool_tenant TO {user} WITH ADMIN OPTION")
    store = await connect(empty.url.replace("postgres@", f"{user}@"), clock=clock, secret_key=KEY)
    try:
        await store.add_tenant(Tenant(ACME, "Acme"))
        await store.add_account(account())
        row = await ready(store)
        assert isinstance(store, SqlStore)
        assert isinstance(store._database, PostgresDatabase)
        assert store._database.walled is walled_then
        assert await store.get(ACME, row.id) == row
        with pytest.raises(NotFound):
            await store.get(OTHER, row.id)
    finally:
        await store.close()
