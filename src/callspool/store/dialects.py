"""The one statement that the two engines spell differently for SQLAlchemy."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert


def insert_or_ignore(table: Table) -> Mapping[str, ReturningInsert[Any]]:
    """Return, by engine, an INSERT that returns its row, or does nothing where that row is there already.

    Unlike a failed INSERT it leaves PostgreSQL's transaction usable, and it waits for a rival that is not
    committed yet.
    """
    return {
        "postgresql": postgresql.insert(table).on_conflict_do_nothing().returning(table),
        "sqlite": sqlite.insert(table).on_conflict_do_nothing().returning(table),
    }
