"""The one statement that the two engines spell differently for SQLAlchemy."""

from typing import Any

from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_or_ignore(connection: Connection, table: Table, *unique: Column[Any]) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that does nothing where a row with the same *unique* columns exists.

    Unlike a failed INSERT it leaves PostgreSQL's transaction usable, and it waits for a rival that is not
    committed yet.
    """
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing(index_elements=list(unique) or None)
    return sqlite.insert(table).on_conflict_do_nothing(index_elements=list(unique) or None)
