"""Seals everything anew with the newest secret key, a bounded batch in a transaction.

A value is replaced only if it is still the one that was read, so a change that is made meanwhile is not lost. A run
that was broken off is simply run again: what is sealed with the newest key is left alone.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Connection, Table, func, select, update

from callspool.store import rows
from callspool.store.envelope import Envelope
from callspool.store.tables import accounts, audit_head, sealed_keys, webhook_endpoints

BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class _Place:
    table: Table
    row: str
    fields: tuple[str, ...]


PLACES: Final = (
    _Place(accounts, "id", (*rows.SECRETS, "private_keys")),
    _Place(audit_head, "id", ("sealed_key",)),
    _Place(sealed_keys, "name", ("sealed",)),
    _Place(webhook_endpoints, "id", ("secret", "previous_secret")),
)
"""Every column that holds something sealed. A test sees to it that none is missing."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands."""

    place: int = 0
    after: Any = None
    looked: int = 0
    resealed: int = 0


def total(connection: Connection) -> int:
    """Return how many rows will be looked at."""
    return sum(connection.execute(select(func.count()).select_from(place.table)).scalar_one() for place in PLACES)


def step(connection: Connection, envelope: Envelope, at: Progress) -> Progress | None:
    """Seal the next batch; None: all is done."""
    if at.place == len(PLACES):
        return None
    place = PLACES[at.place]
    row_id: Column[Any] = place.table.c[place.row]
    query = select(place.table).order_by(row_id).limit(BATCH)
    if at.after is not None:
        query = query.where(row_id > at.after)
    rows = connection.execute(query).all()
    if not rows:
        return Progress(at.place + 1, None, at.looked, at.resealed)
    resealed = at.resealed
    for row in rows:
        values = row._asdict()
        for field in place.fields:
            resealed += _reseal(connection, envelope, place, values, field)
    return Progress(at.place, rows[-1]._asdict()[place.row], at.looked + len(rows), resealed)


def _reseal(connection: Connection, envelope: Envelope, place: _Place, values: dict[str, Any], field: str) -> int:
    sealed: bytes | None = values[field]
    where = {"table": place.table.name, "row": str(values[place.row]), "field": field}
    if sealed is None or envelope.is_newest(sealed, **where):
        return 0
    column = place.table.c[field]
    change = (
        update(place.table)
        .where(place.table.c[place.row] == values[place.row], column == sealed)
        .values({field: envelope.seal(envelope.open(sealed, **where), **where)})
    )
    return connection.execute(change).rowcount
