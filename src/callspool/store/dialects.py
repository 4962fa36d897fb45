"""The statements that the two engines spell differently for SQLAlchemy."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert


def insert_or_add(table: Table, keys: Sequence[str], column: str) -> Mapping[str, Insert]:
    """Return, by engine, an INSERT that adds one to *column* of the row that is there already."""
    fresh, known = postgresql.insert(table), sqlite.insert(table)
    more = {column: table.c[column] + 1}
    return {
        "postgresql": fresh.on_conflict_do_update(index_elements=keys, set_=more),
        "sqlite": known.on_conflict_do_update(index_elements=keys, set_=more),
    }


def insert_or_ignore(table: Table) -> Mapping[str, ReturningInsert[Any]]:
    """Return, by engine, an INSERT that returns its row, or does nothing where that row is there already.

    Unlike a failed INSERT it leaves PostgreSQL's transaction usable, and it waits for a rival that is not
    committed yet.
    """
    return {
        "postgresql": postgresql.insert(table).on_conflict_do_nothing().returning(table),
        "sqlite": sqlite.insert(table).on_conflict_do_nothing().returning(table),
    }
