"""The keys of playback links: the one that signs, and older ones until the links that they signed are over."""

import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select, update

from callspool.store.dialects import insert_or_ignore
from callspool.store.envelope import Envelope
from callspool.store.tables import sealed_keys

_KEY_BYTES: Final = 32
_NAME: Final = "links"
_PLACE: Final = {"table": sealed_keys.name, "row": _NAME, "field": "sealed"}
_ROW: Final = sealed_keys.c.name == _NAME


def found(connection: Connection, envelope: Envelope, now: datetime) -> Sequence[bytes]:
    """Return those that hold, the newest first; none where the first one was never replaced."""
    sealed = connection.execute(select(sealed_keys.c.sealed).where(_ROW)).scalar()
    return [bytes.fromhex(one["key"]) for one in _opened(sealed, envelope) if _holds(one, now)]


def rotate(connection: Connection, envelope: Envelope, first: bytes, now: datetime, overlap: timedelta) -> None:
    """Put a new one before the others, which hold for *overlap* more. *first*: what signed before any rotation."""
    made = envelope.seal(json.dumps([{"key": first.hex(), "until": None}]), **_PLACE)
    connection.execute(insert_or_ignore(sealed_keys)[connection.dialect.name].values(name=_NAME, sealed=made))
    sealed = connection.execute(select(sealed_keys.c.sealed).where(_ROW).with_for_update()).scalar()
    until = now + overlap
    older = [
        {**one, "until": min(_end(one) or until, until).isoformat()}
        for one in _opened(sealed, envelope)
        if _holds(one, now)
    ]
    keys = [{"key": secrets.token_hex(_KEY_BYTES), "until": None}, *older]
    connection.execute(update(sealed_keys).where(_ROW).values(sealed=envelope.seal(json.dumps(keys), **_PLACE)))


def _opened(sealed: bytes | None, envelope: Envelope) -> list[dict[str, Any]]:
    return [] if sealed is None else list(json.loads(envelope.open(sealed, **_PLACE)))


def _end(one: dict[str, Any]) -> datetime | None:
    return None if one["until"] is None else datetime.fromisoformat(one["until"])


def _holds(one: dict[str, Any], now: datetime) -> bool:
    end = _end(one)
    return end is None or now < end
