"""The store in one file: WAL, one writer thread, a few readers. Several processes may have it open.

``synchronous=FULL``: what was acknowledged survives a power cut, since a recording's provider may have deleted
it by then.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from callspool.domain.errors import Misconfigured, StoreUnavailable
from callspool.domain.ids import TenantId
from callspool.store import schema
from callspool.store.database import Operation, errors_named
from callspool.store.writer import Writer, patiently

T = TypeVar("T")

PATIENCE: Final = timedelta(seconds=5)
"""How long a write waits for another process's transaction."""

_READERS: Final = 4
_MOST_READING: Final = 10_000
_SHORT_WAIT_MS: Final = 25
"""See `patiently`."""


class SqliteDatabase:
    """The `Database` of one file."""

    def __init__(self, path: Path, patience: timedelta = PATIENCE) -> None:
        self._writing = _engine(path, "IMMEDIATE", 1, ["synchronous=FULL", f"busy_timeout={_SHORT_WAIT_MS}"])
        patience_ms = round(patience / timedelta(milliseconds=1))
        self._reading = _engine(path, "DEFERRED", _READERS, ["query_only=ON", f"busy_timeout={patience_ms}"])
        self._patience = patience
        try:
            with errors_named():
                self._prepare(path)
        except BaseException:
            self._dispose()
            raise
        self._writer = Writer(self._writing, patience)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="callspool-store-reader")
        self._reads = 0
        self._closed = False

    async def read(self, operation: Operation[T], *, tenant: TenantId | None = None) -> T:
        """Run it on a reader: it sees one moment's state, and waits for no writer. There is no wall between tenants."""
        if self._closed:
            raise StoreUnavailable("The database is closed.")
        if self._reads >= _MOST_READING:
            raise StoreUnavailable(f"More than {_MOST_READING} reads wait for the database. Ask again later.")
        self._reads += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, operation)
        finally:
            self._reads -= 1

    async def write(self, operation: Operation[T]) -> T:
        """Run it on the writer."""
        return await self._writer.run(operation)

    async def close(self) -> None:
        """End the threads, then let go of the file."""
        self._closed = True
        await asyncio.to_thread(self._end)

    def _read(self, operation: Operation[T]) -> T:
        with errors_named(), self._reading.connect() as connection, connection.begin():
            return operation(connection)

    def _end(self) -> None:
        self._writer.close()
        self._readers.shutdown()
        self._dispose()

    def _dispose(self) -> None:
        self._reading.dispose()
        self._writing.dispose()

    def _prepare(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Who called whom is nobody else's business. SQLite gives its other two files the mode of this one.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        with self._writing.connect() as connection:
            _use_wal(connection, self._patience)
        with self._reading.connect() as connection, connection.begin():
            if schema.is_current(connection):
                return
        with self._writing.connect() as connection, patiently(connection.begin, self._patience):
            schema.migrate(connection)


def _use_wal(connection: Connection, patience: timedelta) -> None:
    """Switch the file to WAL, where it is not yet: this needs the file for itself for a moment."""
    raw: Any = connection.connection.driver_connection
    (mode,) = raw.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        (mode,) = patiently(lambda: raw.execute("PRAGMA journal_mode=WAL").fetchone(), patience)
    if mode != "wal":
        raise Misconfigured(
            f"SQLite cannot use its write-ahead log here (it stays {mode!r}). "
            "The data folder must be on a local disk, not on a network share."
        )


def _engine(path: Path, begin: str, connections: int, pragmas: list[str]) -> Engine:
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"check_same_thread": False},
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def set_up(raw: Any, _: Any) -> None:
        raw.isolation_level = None  # transactions are begun below, not by sqlite3's guesses
        for pragma in ("foreign_keys=ON", *pragmas):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {begin}")

    return engine
