"""The source of truth, in SQLite or PostgreSQL. It knows nothing of Valkey, HTTP or audio."""

import asyncio
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from callspool.domain.errors import Misconfigured
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.store import Store
from callspool.store.database import Database
from callspool.store.envelope import Envelope, Keys
from callspool.store.sqlstore import SqlStore


async def connect(url: str, *, clock: Clock, secret_key: bytes | Keys) -> Store:
    """Open the store at ``sqlite:////absolute/path``, ``sqlite:///relative/path`` or ``postgresql://…``.

    The schema is created or brought up to date; several processes may do so at once. Raises `Misconfigured`
    where the address or the secret key is wrong, `StoreUnavailable` where the database does not answer.
    """
    envelope = Envelope(secret_key)
    database = await _open(url)
    store = SqlStore(database, clock, envelope)
    try:
        await store.check_key()
    except BaseException:
        await store.close()
        raise
    return store


async def _open(url: str) -> Database:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # the second: a port that is no number
        address = None
    match address and address.drivername:
        case "sqlite" if address is not None and address.database not in (None, "", ":memory:"):
            from callspool.store.sqlite import SqliteDatabase

            return await asyncio.to_thread(SqliteDatabase, Path(str(address.database)))
        case "postgresql" if address is not None:
            from callspool.store.postgres import PostgresDatabase

            return await PostgresDatabase.connect(address)
    raise Misconfigured(
        "CALLSPOOL_DATABASE_URL must be 'sqlite:////absolute/path.db' or 'postgresql://user:password@host/database'."
    )
