"""Whose phone number it is, and whose recordings therefore those are that came in for nobody known."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, case, delete, or_, select, update

from callspool.domain.errors import NotFound
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.recording import Recording, State
from callspool.domain.tenant import Account, Number
from callspool.store import registry, rows
from callspool.store.dialects import insert_or_ignore
from callspool.store.tables import numbers, recordings

_R: Final = recordings.c
_CALLER: Final = numbers.alias("caller")
_CALLED: Final = numbers.alias("called")
# By the direction it is plain which of the two is the business's. Without it, one of them must be known and no other.
_OWNER: Final[ColumnElement[str]] = case(
    (_R.direction.like("inbound%"), _CALLED.c.tenant_id),
    (_R.direction.like("outbound%"), _CALLER.c.tenant_id),
    (_CALLER.c.tenant_id.is_(None), _CALLED.c.tenant_id),
    (or_(_CALLED.c.tenant_id.is_(None), _CALLED.c.tenant_id == _CALLER.c.tenant_id), _CALLER.c.tenant_id),
)


def set_number(connection: Connection, number: Number) -> None:
    """Insert or replace it, or raise `NotFound`."""
    registry.tenant(connection, number.tenant_id)
    fresh = insert_or_ignore(numbers)[connection.dialect.name].values(number=number.number, tenant_id=number.tenant_id)
    if connection.execute(fresh).first() is None:
        connection.execute(update(numbers).where(numbers.c.number == number.number).values(tenant_id=number.tenant_id))


def remove_number(connection: Connection, number: str) -> None:
    """Delete it or raise `NotFound`."""
    gone = delete(numbers).where(numbers.c.number == number).returning(numbers.c.number)
    if connection.execute(gone).first() is None:
        raise NotFound(f"The number {number!r} is no tenant's.")


def all_numbers(connection: Connection) -> Sequence[Number]:
    """Return all by number."""
    found = connection.execute(select(numbers).order_by(numbers.c.number))
    return [Number(row.number, TenantId(row.tenant_id)) for row in found]


def set_aside(connection: Connection, account: Account, after: RecordingId | None, limit: int) -> Sequence[Recording]:
    """Return what waits and of whose call nothing is known."""
    unknown = and_(_R.from_number.is_(None), _R.to_number.is_(None), _R.direction.is_(None))
    behind = () if after is None else (_R.id > after,)
    query = select(recordings).where(_waits(account), unknown, *behind).order_by(_R.id).limit(limit)
    return [rows.recording(row) for row in connection.execute(query)]


def assignable(connection: Connection, account: Account, limit: int) -> Sequence[tuple[Recording, TenantId]]:
    """Return what waits and whose owner the numbers tell."""
    query = (
        select(recordings, _OWNER.label("owner"))
        .outerjoin(_CALLER, _CALLER.c.number == _R.from_number)
        .outerjoin(_CALLED, _CALLED.c.number == _R.to_number)
        .where(_waits(account), _OWNER.is_not(None), _OWNER.not_in([account.default_tenant]))
        .order_by(_R.id)
        .limit(limit)
    )
    return [(rows.recording(row), TenantId(row.owner)) for row in connection.execute(query)]


def assign(connection: Connection, recording: Recording, tenant_id: TenantId, at: datetime) -> Recording | None:
    """Give it to the tenant, where it still waits."""
    registry.tenant(connection, tenant_id)
    row = connection.execute(
        update(recordings)
        .where(_R.id == recording.id, _R.tenant_id == recording.tenant_id, _R.state == State.QUEUED.value)
        .values(tenant_id=tenant_id, updated_at=at)
        .returning(recordings)
    ).first()
    return None if row is None else rows.recording(row)


def _waits(account: Account) -> ColumnElement[bool]:
    return and_(_R.tenant_id == account.default_tenant, _R.state == State.QUEUED.value, _R.account_id == account.id)
