"""The store in PostgreSQL, for fleets: the same operations on asyncpg, without a thread."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from callspool.domain.errors import Misconfigured
from callspool.store import schema
from callspool.store.database import Operation, driver_error, errors_named, sqlstate

T = TypeVar("T")

PATIENCE: Final = timedelta(seconds=10)
"""The longest wait for a connection, and for the answer to one statement."""

_CONNECTIONS: Final = 10
_TRIES: Final = 3
_SCHEMA_LOCK: Final = 0x63735F73
_REFUSED: Final = ("28", "3D000")
"""The user or the password is wrong; there is no such database."""
_ASK_AGAIN: Final = frozenset({"40001", "40P01"})
"""serialization_failure, deadlock_detected: the transaction was taken back whole, and running it again is right."""


class PostgresDatabase:
    """The `Database` of a server."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    @classmethod
    async def connect(cls, url: URL, patience: timedelta = PATIENCE) -> "PostgresDatabase":
        """Connect and bring the schema up to date."""
        database = cls(_engine(url, patience))
        try:
            await database.write(_prepare)
        except BaseException:
            await database.close()
            raise
        return database

    async def read(self, operation: Operation[T]) -> T:
        """Run it, each statement for itself."""
        return await _run(self._reading.connect, operation)

    async def write(self, operation: Operation[T]) -> T:
        """Run it in a transaction."""
        return await _run(self._writing.begin, operation)

    async def close(self) -> None:
        """Close the connections."""
        await self._writing.dispose()


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


def _prepare(connection: Connection) -> None:
    if schema.is_current(connection):
        return
    connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
    schema.migrate(connection)


def _engine(url: URL, patience: timedelta) -> AsyncEngine:
    seconds = patience.total_seconds()
    query = dict(url.query)
    mode = query.pop("sslmode", None)  # what every other tool calls it
    if mode is not None:
        query["ssl"] = mode
    return create_async_engine(
        url.set(drivername="postgresql+asyncpg", query=query),
        connect_args={"timeout": seconds, "command_timeout": seconds},
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=seconds,
        # One short question before each use: connections that a restarted server has closed are replaced unseen.
        pool_pre_ping=True,
        hide_parameters=True,
    )
