"""The one thread that writes to SQLite: what arrives at the same time shares a transaction, and so an fsync.

Each write runs in a savepoint of its own, so that one that fails takes back only itself. Nobody gets an answer
before the COMMIT that makes it durable.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from callspool.domain.errors import StoreUnavailable
from callspool.store.database import Operation, translated

T = TypeVar("T")

MOST_WAITING: Final = 10_000
"""Writes in line. With more than this the database is too slow for what is asked of it."""

_MOST_TOGETHER: Final = 500
"""Writes in one transaction: bounds the time for which other processes are kept out."""

_PAUSE_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class _Write:
    operation: Operation[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Runs operations on a thread of its own. *patience*: how long to wait for another process's transaction."""

    def __init__(self, engine: Engine, patience: timedelta) -> None:
        self._engine = engine
        self._patience = patience
        self._waiting: queue.Queue[_Write | None] = queue.Queue(MOST_WAITING)
        self._closed = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="callspool-store-writer", daemon=True)
        self._thread.start()

    async def run(self, operation: Operation[T]) -> T:
        """Return what *operation* returns, once it is committed."""
        if self._closed:
            raise StoreUnavailable("The database is closed.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        try:
            self._waiting.put_nowait(_Write(operation, loop, future))
        except queue.Full:
            raise StoreUnavailable(
                f"More than {MOST_WAITING} writes wait. Ask again later; if it stays, the disk is too slow."
            ) from None
        return await future

    def close(self) -> None:
        """Write what is in line, then end. Blocks; may be called again."""
        self._closed = True
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            first = self._waiting.get()
            if first is None:
                break
            self._write_together(first)
        for write in self._take(MOST_WAITING):
            _deliver([(write, _Outcome(error=StoreUnavailable("The database was closed.")))])

    def _write_together(self, first: _Write) -> None:
        writes = [first]
        try:
            with self._engine.connect() as connection:
                try:
                    transaction = patiently(connection.begin, self._patience)
                except OperationalError:
                    writes += self._take(MOST_WAITING)  # they waited for the same lock
                    raise
                # Taken only now: whoever came while another process wrote is in this transaction too.
                writes += self._take(_MOST_TOGETHER - 1)
                with transaction:
                    outcomes = [_run_one(connection, write.operation) for write in writes]
        except Exception as error:
            outcomes = [_Outcome(error=translated(error)) for _ in writes]
        _deliver(list(zip(writes, outcomes, strict=True)))

    def _take(self, most: int) -> list[_Write]:
        taken: list[_Write] = []
        while len(taken) < most:
            try:
                write = self._waiting.get_nowait()
            except queue.Empty:
                break
            if write is None:
                self._stopping = True
                break
            taken.append(write)
        return taken


def patiently(action: Callable[[], T], patience: timedelta) -> T:
    """Do what needs a lock of the file, asking for it again and again for as long as *patience*.

    SQLite's own waiting sleeps up to 100 ms between two looks, and a busy neighbour leaves gaps much shorter than
    that. So the engine's busy timeout is short, which keeps its looks close together, and the waiting is here.
    """
    until = time.monotonic() + patience.total_seconds()
    while True:
        try:
            return action()
        except (OperationalError, sqlite3.OperationalError) as error:
            if not _is_locked(error) or time.monotonic() > until:
                raise
        time.sleep(_PAUSE_S)  # some locks SQLite does not wait for at all


def _is_locked(error: OperationalError | sqlite3.OperationalError) -> bool:
    cause = error.orig if isinstance(error, OperationalError) else error
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _run_one(connection: Connection, operation: Operation[Any]) -> _Outcome:
    raw: Any = connection.connection.driver_connection  # SQLAlchemy's own savepoints cost as much as a write
    raw.execute("SAVEPOINT one")
    try:
        result = operation(connection)
    except Exception as error:
        # Where SQLite itself took back everything (disk full) this raises, and all of them fail.
        raw.execute("ROLLBACK TO one")
        raw.execute("RELEASE one")
        return _Outcome(error=translated(error))
    raw.execute("RELEASE one")
    return _Outcome(result)


def _deliver(answers: list[tuple[_Write, _Outcome]]) -> None:
    by_loop = defaultdict(list)
    for write, outcome in answers:
        by_loop[write.loop].append((write.future, outcome))
    for loop, settled in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, settled)
        except RuntimeError:
            continue  # the loop is closed: nobody waits any more


def _settle(settled: list[tuple[asyncio.Future[Any], _Outcome]]) -> None:
    for future, outcome in settled:
        if future.done():
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.result)
