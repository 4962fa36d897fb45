"""Endpoints and the messages to them: rows, and the guarded writes after each try."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from callspool.domain.errors import NotFound
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.webhook import OVERLAP, Delivery, DeliveryState, Endpoint, Refused, Subject
from callspool.store import rows
from callspool.store.envelope import Envelope
from callspool.store.tables import webhook_deliveries as deliveries
from callspool.store.tables import webhook_endpoints as endpoints

_TABLE: Final = "webhook_endpoints"
_GONE: Final = "The endpoint answered 410: it is gone."
_MESSAGE: Final = tuple(column for column in deliveries.c if column.name != "submitted")


def add(connection: Connection, endpoint: Endpoint, envelope: Envelope) -> None:
    """Insert an endpoint, or raise `NotFound`."""
    try:
        connection.execute(
            insert(endpoints).values(
                id=endpoint.id,
                tenant_id=endpoint.tenant_id,
                url=rows.clean(endpoint.url),
                events=" ".join(endpoint.events),
                secret=_sealed(envelope, endpoint.id, "secret", endpoint.secret),
                created_at=endpoint.created_at,
            )
        )
    except IntegrityError:
        raise NotFound(f"There is no tenant {endpoint.tenant_id!r}.") from None


def every(connection: Connection, tenant_id: TenantId | None, envelope: Envelope) -> Sequence[Endpoint]:
    """Return a tenant's endpoints, or all."""
    query = select(endpoints).where(_of(tenant_id)).order_by(endpoints.c.created_at, endpoints.c.id)
    return [_endpoint(row, envelope) for row in connection.execute(query)]


def get(connection: Connection, tenant_id: TenantId | None, endpoint_id: str, envelope: Envelope) -> Endpoint:
    """Return it or raise `NotFound`."""
    row = connection.execute(select(endpoints).where(endpoints.c.id == endpoint_id, _of(tenant_id))).first()
    return _endpoint(_there(row, endpoint_id), envelope)


def remove(connection: Connection, tenant_id: TenantId | None, endpoint_id: str) -> TenantId | None:
    """Delete it and its messages; return whose it was, or raise `NotFound`."""
    gone = delete(endpoints).where(endpoints.c.id == endpoint_id, _of(tenant_id)).returning(endpoints.c.tenant_id)
    owner = _there(connection.execute(gone).first(), endpoint_id).tenant_id
    return None if owner is None else TenantId(owner)


def rotate(
    connection: Connection, tenant_id: TenantId | None, endpoint_id: str, secret: str, envelope: Envelope, now: datetime
) -> Endpoint:
    """Replace its secret."""
    known = get(connection, tenant_id, endpoint_id, envelope)
    return _change(
        connection,
        tenant_id,
        endpoint_id,
        envelope,
        secret=_sealed(envelope, endpoint_id, "secret", secret),
        previous_secret=_sealed(envelope, endpoint_id, "previous_secret", known.secret),
        previous_until=now + OVERLAP,
    )


def enable(connection: Connection, tenant_id: TenantId | None, endpoint_id: str, envelope: Envelope) -> Endpoint:
    """Let it be told again."""
    fresh = {"failing_since": None, "disabled_at": None, "disabled_because": None}
    return _change(connection, tenant_id, endpoint_id, envelope, **fresh)


def newest(connection: Connection, endpoint_id: str, limit: int) -> Sequence[Delivery]:
    """Return its newest messages."""
    query = select(*_MESSAGE).where(deliveries.c.endpoint_id == endpoint_id).order_by(deliveries.c.id.desc())
    return [_delivery(row) for row in connection.execute(query.limit(limit))]


def pending(connection: Connection, after: str | None, limit: int, submitted: bool | None) -> Sequence[Delivery]:
    """Return messages that are to be sent, by id."""
    query = (
        select(*_MESSAGE)
        .join(endpoints)
        .where(deliveries.c.state == DeliveryState.PENDING, endpoints.c.disabled_at.is_(None))
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(deliveries.c.id > after)
    if submitted is not None:
        query = query.where(deliveries.c.submitted.is_(submitted))
    return [_delivery(row) for row in connection.execute(query)]


def note_submitted(connection: Connection, ids: Sequence[str]) -> None:
    """Mark what the scheduler has."""
    connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(submitted=True))


def to_deliver(connection: Connection, message_id: str, envelope: Envelope) -> tuple[Endpoint, Delivery] | None:
    """Return a pending message and its endpoint, if that is in use."""
    row = connection.execute(
        select(*_MESSAGE).where(deliveries.c.id == message_id, deliveries.c.state == DeliveryState.PENDING)
    ).first()
    if row is None:
        return None
    endpoint = get(connection, None, row.endpoint_id, envelope)
    return None if endpoint.disabled_at is not None else (endpoint, _delivery(row))


def delivered(connection: Connection, delivery: Delivery, status: int, now: datetime) -> None:
    """End it well; its endpoint is well too."""
    ended = {"state": DeliveryState.DELIVERED, "status": status, "error": None, "not_before": None, "ended_at": now}
    if _after_try(connection, delivery, ended):
        well = update(endpoints).where(endpoints.c.id == delivery.endpoint_id, endpoints.c.failing_since.is_not(None))
        connection.execute(well.values(failing_since=None))


def not_delivered(
    connection: Connection, delivery: Delivery, refused: Refused, now: datetime, disable_after: timedelta
) -> bool:
    """Note the try; say whether the endpoint is disabled by it."""
    tried: dict[str, Any] = {"status": refused.status, "error": rows.clean(refused.error)}
    if refused.again_at is None and not refused.gone:
        tried |= {"state": DeliveryState.FAILED, "ended_at": now, "not_before": None}
    else:
        tried |= {"not_before": refused.again_at}
    if not _after_try(connection, delivery, tried):
        return False
    this = endpoints.c.id == delivery.endpoint_id
    connection.execute(update(endpoints).where(this, endpoints.c.failing_since.is_(None)).values(failing_since=now))
    lasting = true() if refused.gone else endpoints.c.failing_since <= now - disable_after
    days = disable_after / timedelta(days=1)
    why = _GONE if refused.gone else f"Nothing arrived for {days:g} days. The last try: {rows.clean(refused.error)}"
    off = update(endpoints).where(this, endpoints.c.disabled_at.is_(None), lasting)
    return connection.execute(off.values(disabled_at=now, disabled_because=why)).rowcount > 0


def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Delete a bounded number of messages that ended."""
    old = select(deliveries.c.id).where(deliveries.c.ended_at < before).limit(limit)
    return connection.execute(delete(deliveries).where(deliveries.c.id.in_(old))).rowcount


def _after_try(connection: Connection, delivery: Delivery, values: dict[str, Any]) -> bool:
    """Write what a try did, unless another worker's try was noted meanwhile."""
    this = deliveries.c.id == delivery.id, deliveries.c.state == DeliveryState.PENDING
    statement = update(deliveries).where(*this, deliveries.c.attempts == delivery.attempts)
    return connection.execute(statement.values(attempts=delivery.attempts + 1, **values)).rowcount > 0


def _change(
    connection: Connection, tenant_id: TenantId | None, endpoint_id: str, envelope: Envelope, **values: Any
) -> Endpoint:
    statement = update(endpoints).where(endpoints.c.id == endpoint_id, _of(tenant_id)).values(**values)
    return _endpoint(_there(connection.execute(statement.returning(endpoints)).first(), endpoint_id), envelope)


def _there(row: Row[Any] | None, endpoint_id: str) -> Row[Any]:
    if row is None:
        raise NotFound(f"There is no webhook endpoint {endpoint_id!r}.")
    return row


def _of(tenant_id: TenantId | None) -> ColumnElement[bool]:
    return true() if tenant_id is None else endpoints.c.tenant_id == tenant_id


def _sealed(envelope: Envelope, endpoint_id: str, field: str, text: str) -> bytes:
    return envelope.seal(text, table=_TABLE, row=endpoint_id, field=field)


def _endpoint(row: Row[Any], envelope: Envelope) -> Endpoint:
    values = row._asdict()
    for name in ("secret", "previous_secret"):
        if values[name] is not None:
            values[name] = envelope.open(values[name], table=_TABLE, row=row.id, field=name)
    values["tenant_id"] = None if row.tenant_id is None else TenantId(row.tenant_id)
    values["events"] = tuple(Subject(name) for name in row.events.split())
    return Endpoint(**values)


def _delivery(row: Row[Any]) -> Delivery:
    values = row._asdict()
    values |= {"type": Subject(row.type), "state": DeliveryState(row.state)}
    values |= {"tenant_id": TenantId(row.tenant_id), "recording_id": RecordingId(row.recording_id)}
    return Delivery(**values)
