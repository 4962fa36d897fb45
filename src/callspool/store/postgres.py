"""The store in PostgreSQL, for fleets: the same operations on asyncpg, without a thread."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog
from asyncpg import InterfaceError, PostgresError
from sqlalchemy import URL, Connection, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from callspool.domain.errors import CallspoolError, Misconfigured, NotFound, StoreUnavailable
from callspool.domain.ids import TenantId, is_name
from callspool.store import schema
from callspool.store.database import Operation, driver_error, errors_named, sqlstate
from callspool.store.tables import audit, recordings

T = TypeVar("T")

_log = structlog.get_logger("callspool.store")

PATIENCE: Final = timedelta(seconds=10)
"""The longest wait for a connection, and for the answer to one statement."""

_CONNECTIONS: Final = 10
_TRIES: Final = 3
_SCHEMA_LOCK: Final = 0x63735F73
_OPTIONS: Final = frozenset(
    {"host", "passfile", "port", "service", "servicefile", "ssl", "sslmode", "target_session_attrs"}
)
"""What may stand behind the address: what asyncpg takes as text, and sslmode, as every other tool calls its ssl."""
_SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_REFUSED: Final = ("28", "3D000")
"""The user or the password is wrong; there is no such database."""
_ASK_AGAIN: Final = frozenset({"40001", "40P01"})
"""serialization_failure, deadlock_detected: the transaction was taken back whole, and running it again is right."""


class PostgresDatabase:
    """The `Database` of a server."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.walled = False
        """Whether a tenant's reads see that tenant's rows alone, whatever their statement says."""
        self._writing = engine
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    @classmethod
    async def connect(cls, url: URL, patience: timedelta = PATIENCE) -> "PostgresDatabase":
        """Connect and bring the schema up to date."""
        database = cls(_engine(url, patience))
        try:
            await database.write(_prepare)
            await database.raise_wall()
        except BaseException:
            await database.close()
            raise
        return database

    async def raise_wall(self) -> None:
        """Find out whether this user can take on the role that sees one tenant."""
        try:
            await self._read_as(TenantId("nobody"), _look)
            self.walled = True
        except CallspoolError as error:
            _log.warning("store.not_walled", error=str(error))

    async def read(self, operation: Operation[T], *, tenant: TenantId | None = None) -> T:
        """Run it, each statement for itself; for a tenant in a transaction that sees only what is that tenant's."""
        if tenant is not None and self.walled:
            return await self._read_as(tenant, operation)
        return await _run(self._reading.connect, operation)

    async def _read_as(self, tenant: TenantId, operation: Operation[T]) -> T:
        return await _run(lambda: _walled(self._reading, tenant), operation)

    async def write(self, operation: Operation[T]) -> T:
        """Run it in a transaction."""
        return await _run(self._writing.begin, operation)

    async def close(self) -> None:
        """Close the connections."""
        await self._writing.dispose()


@asynccontextmanager
async def _walled(engine: AsyncEngine, tenant: TenantId) -> AsyncIterator[AsyncConnection]:
    """Begin a transaction as the role that sees one tenant: one short question before, and one after."""
    if not is_name(tenant):
        raise NotFound(tenant)  # it is spelt out below, and is no tenant's name
    async with engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        begin = "BEGIN READ ONLY; SET LOCAL ROLE callspool_tenant"
        try:
            await _asked(raw, f"{begin}; SET LOCAL callspool.tenant = '{tenant}'")
            yield connection
        finally:
            # The role must not outlive this, whoever uses the connection next.
            try:
                await _asked(raw, "ROLLBACK")
            except BaseException:
                await connection.invalidate()
                raise


async def _asked(raw: Any, text: str) -> None:
    """Ask the driver itself: several statements go there and back at once."""
    try:
        await raw.execute(text)
    except PostgresError as error:
        raise DBAPIError(None, None, error) from error
    except (InterfaceError, TimeoutError) as error:
        raise StoreUnavailable(f"The database does not answer ({error}). Ask again later.") from error


async def _run(begin: Callable[[], Any], operation: Operation[T]) -> T:
    tries = 1
    while True:
        with errors_named():
            try:
                connection: AsyncConnection
                async with begin() as connection:
                    return await connection.run_sync(operation)
            except DBAPIError as error:
                if sqlstate(error).startswith(_REFUSED):
                    cause = driver_error(error)
                    raise Misconfigured(f"PostgreSQL says: {cause}. Check CALLSPOOL_DATABASE_URL.") from error
                if sqlstate(error) not in _ASK_AGAIN or tries == _TRIES:
                    raise
        tries += 1


def _look(connection: Connection) -> None:
    """Ask for what was given to the role first, and for what was given last."""
    for column in (recordings.c.id, audit.c.detail):
        connection.execute(select(column).limit(0))


def _prepare(connection: Connection) -> None:
    if schema.is_current(connection):
        return
    connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
    schema.migrate(connection)


def _engine(url: URL, patience: timedelta) -> AsyncEngine:
    seconds = patience.total_seconds()
    # A process that is frozen between two statements holds its locks, and the event log's is everybody's: the server
    # ends such a transaction while those who wait for it still do.
    idle_ms = str(int(seconds * 1000 / 2))
    query = dict(url.query)
    if unknown := sorted(query.keys() - _OPTIONS):
        raise Misconfigured(
            f"CALLSPOOL_DATABASE_URL: {unknown[0]} is no option; there are {', '.join(sorted(_OPTIONS))}."
        )
    mode = query.pop("sslmode", query.get("ssl"))
    if mode is not None:
        if mode not in _SSL_MODES:
            raise Misconfigured(f"CALLSPOOL_DATABASE_URL: sslmode is {', '.join(_SSL_MODES)}, not {mode}.")
        query["ssl"] = mode
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg", query=query),
        connect_args={
            "timeout": seconds,
            "command_timeout": seconds,
            "server_settings": {"idle_in_transaction_session_timeout": idle_ms},
        },
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=seconds,
        # One short question before each use: connections that a restarted server has closed are replaced unseen.
        pool_pre_ping=True,
        hide_parameters=True,
    )
