"""Messages to others: written in the transaction of the event they tell, so that none is lost and none is false."""

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, or_, select

from callspool.domain.ids import new_recording_id
from callspool.domain.recording import Event
from callspool.domain.webhook import DeliveryState, Subject, delivery_id
from callspool.store.tables import webhook_deliveries as deliveries
from callspool.store.tables import webhook_endpoints as endpoints

_SUBJECTS: Final[Mapping[Event, Subject]] = {
    Event.KEEP: Subject.READY,
    Event.GIVE_UP: Subject.FAILED,
    Event.CORRUPT: Subject.FAILED,
    Event.RESTORE: Subject.READY,
    Event.PURGE: Subject.PURGED,
}
_TOLD: Final = (
    *("id", "tenant_id", "account_id", "provider_recording_id", "call_id", "state", "attempt", "version", "reason"),
    *("sha256", "size", "content_type", "channels", "sample_rate", "duration_s", "verified"),
)
"""What a message says of a recording: no phone number, and nothing of how it is kept."""

_LISTENERS: Final = select(endpoints.c.id, endpoints.c.events).where(
    endpoints.c.disabled_at.is_(None),
    or_(endpoints.c.tenant_id.is_(None), endpoints.c.tenant_id == bindparam("the_tenant")),
)


def announce(connection: Connection, event: Event, row: Row[Any], at: datetime) -> None:
    """Write a message to each endpoint that wants to know of this move."""
    subject = _SUBJECTS.get(event)
    if subject is None:
        return
    listeners = connection.execute(_LISTENERS, {"the_tenant": row.tenant_id}).all()
    wanted = [one.id for one in listeners if subject in one.events.split()]
    if not wanted:
        return
    data = {name: getattr(row, name) for name in _TOLD}
    payload = json.dumps({"type": subject, "timestamp": at.isoformat(), "data": data}, ensure_ascii=False)
    connection.execute(insert(deliveries), [_message(endpoint_id, subject, row, payload, at) for endpoint_id in wanted])


def _message(endpoint_id: str, subject: Subject, row: Row[Any], payload: str, at: datetime) -> dict[str, Any]:
    number = new_recording_id(int(at.timestamp() * 1000), secrets.token_bytes(10)).removeprefix("rec_")
    return {
        "id": delivery_id(number),
        "endpoint_id": endpoint_id,
        "tenant_id": row.tenant_id,
        "recording_id": row.id,
        "type": subject,
        "payload": payload,
        "state": DeliveryState.PENDING,
        "submitted": False,
        "attempts": 0,
        "created_at": at,
    }
