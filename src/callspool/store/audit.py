"""The audit log's rows. One row of its own holds the end of the chain: whoever appends waits for it.

The chain's key is random and lies sealed beside its end, so that it outlives a change of the secret key.
"""

import dataclasses
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Row, insert, select, update

from callspool.domain.audit import FIRST, Act, AuditEntry, By, Verdict
from callspool.domain.ids import TenantId
from callspool.store.database import Operation
from callspool.store.dialects import insert_or_ignore
from callspool.store.envelope import Envelope
from callspool.store.rows import clean
from callspool.store.tables import audit, audit_head

T = TypeVar("T")

_BATCH: Final = 1000
_HEAD: Final = 1
_KEY_BYTES: Final = 32
_PLACE: Final[Mapping[str, str]] = {"table": "audit_head", "row": str(_HEAD), "field": "sealed_key"}


def acting(
    operation: Operation[T], act: Act | Callable[[T], Act], by: By, at: datetime, envelope: Envelope
) -> Operation[T]:
    """Return the operation with its entry in the same transaction. An operation that raises leaves none."""

    def both(connection: Connection) -> T:
        result = operation(connection)
        append(connection, act(result) if callable(act) else act, by, at, envelope)
        return result

    return both


def append(connection: Connection, act: Act, by: By, at: datetime, envelope: Envelope) -> AuditEntry:
    """Write the next entry."""
    step = update(audit_head).where(audit_head.c.id == _HEAD).values(seq=audit_head.c.seq + 1).returning(audit_head)
    head = connection.execute(step).first()
    if head is None:
        sealed = envelope.seal(secrets.token_hex(_KEY_BYTES), **_PLACE)
        first = insert_or_ignore(audit_head)[connection.dialect.name]
        connection.execute(first.values(id=_HEAD, seq=0, hash=FIRST, sealed_key=sealed))
        head = connection.execute(step).one()
    entry = AuditEntry(
        seq=head.seq,
        at=at,
        actor=str(clean(by.actor)),
        action=act.action,
        target=str(clean(act.target)),
        tenant_id=act.tenant_id,
        detail=json.dumps(act.detail, ensure_ascii=False, sort_keys=True, default=str),
        address=by.address,
        hash="",
    )
    entry = dataclasses.replace(entry, hash=entry.sealed(_key(head, envelope), head.hash))
    connection.execute(insert(audit).values(dataclasses.asdict(entry)))
    connection.execute(update(audit_head).where(audit_head.c.id == _HEAD).values(hash=entry.hash))
    return entry


def page(connection: Connection, before: int | None, limit: int) -> Sequence[AuditEntry]:
    """Return entries older than *before*, newest first."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.seq < before)
    return [_entry(row) for row in connection.execute(query)]


def verify(connection: Connection, envelope: Envelope, anchor: tuple[int, str] | None) -> Verdict:
    """Follow the chain from its beginning to its end."""
    seq, previous = 0, FIRST
    head = connection.execute(select(audit_head)).first()
    key = b"" if head is None else _key(head, envelope)
    for entry in _all(connection):
        seq += 1
        if entry.seq != seq:
            return _broken(seq, previous, f"entry {seq} is missing")
        if entry.hash != entry.sealed(key, previous):
            return _broken(seq, previous, f"entry {seq} was altered, or written with another key")
        if anchor is not None and anchor[0] == seq and anchor[1] != entry.hash:
            return _broken(seq, previous, f"entry {seq} is not the one that was noted")
        previous = entry.hash
    if (head.seq, head.hash) != (seq, previous) if head is not None else seq > 0:
        return _broken(seq + 1, previous, f"entries after {seq} were cut off")
    if anchor is not None and anchor[0] > seq:
        return _broken(seq + 1, previous, f"entry {anchor[0]} was noted, and the log ends at {seq}")
    return Verdict(seq, f"{seq}:{previous}")


def _key(head: Row[Any], envelope: Envelope) -> bytes:
    return bytes.fromhex(envelope.open(head.sealed_key, **_PLACE))


def _broken(seq: int, previous: str, why: str) -> Verdict:
    return Verdict(seq - 1, f"{seq - 1}:{previous}", broken=seq, why=why)


def _all(connection: Connection) -> Iterator[AuditEntry]:
    after = 0
    while rows := connection.execute(
        select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(_BATCH)
    ).all():
        for row in rows:
            yield _entry(row)
        after = rows[-1].seq


def _entry(row: Row[Any]) -> AuditEntry:
    values = row._asdict()
    values["tenant_id"] = TenantId(values["tenant_id"]) if values["tenant_id"] is not None else None
    return AuditEntry(**values)
