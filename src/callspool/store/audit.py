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

from callspool.domain.audit import FIRST, Act, AuditEntry, AuditKind, By, Deed, Verdict
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.listening import Line, Listen, listens_of
from callspool.store.database import Operation
from callspool.store.dialects import insert_or_ignore
from callspool.store.envelope import Envelope
from callspool.store.rows import clean
from callspool.store.tables import OF_CHANGES, OF_HEARING, OF_LISTENINGS, audit, audit_head

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


def append(connection: Connection, act: Act, by: By, at: datetime, envelope: Envelope) -> None:
    """Write the next entry."""
    append_all(connection, [Deed(act, by, at)], envelope)


def append_all(connection: Connection, deeds: Sequence[Deed], envelope: Envelope) -> None:
    """Write the next entries, in this order. However many, the end of the chain is moved once."""
    if not deeds:
        return
    many = audit_head.c.seq + len(deeds)
    step = update(audit_head).where(audit_head.c.id == _HEAD).values(seq=many).returning(audit_head)
    head = connection.execute(step).first()
    if head is None:
        sealed = envelope.seal(secrets.token_hex(_KEY_BYTES), **_PLACE)
        first = insert_or_ignore(audit_head)[connection.dialect.name]
        connection.execute(first.values(id=_HEAD, seq=0, hash=FIRST, sealed_key=sealed))
        head = connection.execute(step).one()
    key, previous, entries = _key(head, envelope), head.hash, []
    for seq, deed in enumerate(deeds, head.seq - len(deeds) + 1):
        entry = _unsealed(seq, deed)
        previous = entry.sealed(key, previous)
        entries.append(dataclasses.asdict(entry) | {"hash": previous})
    connection.execute(insert(audit), entries)
    connection.execute(update(audit_head).where(audit_head.c.id == _HEAD).values(hash=previous))


def page(connection: Connection, before: int | None, limit: int, only: AuditKind | None) -> Sequence[AuditEntry]:
    """Return entries older than *before*, newest first. Each kind has an index of its own."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.seq < before)
    if only is not None:
        query = query.where(OF_CHANGES if only is AuditKind.CHANGES else OF_HEARING)
    return [_entry(row) for row in connection.execute(query)]


def listens(connection: Connection, recording_id: RecordingId, most: int) -> Sequence[Listen]:
    """Return the newest listenings of a recording, as many as *most*, oldest first."""
    # No other column: a tenant's role may see none (docs/adr/0014).
    query = select(audit.c.at, audit.c.actor, audit.c.action, audit.c.detail)
    query = query.where(audit.c.target == recording_id, OF_LISTENINGS).order_by(audit.c.seq.desc()).limit(2 * most)
    return listens_of(Line(*row) for row in reversed(connection.execute(query).all()))[-most:]


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


def _unsealed(seq: int, deed: Deed) -> AuditEntry:
    return AuditEntry(
        seq=seq,
        at=deed.at,
        actor=str(clean(deed.by.actor)),
        action=deed.act.action,
        target=str(clean(deed.act.target)),
        tenant_id=deed.act.tenant_id,
        detail=json.dumps(deed.act.detail, ensure_ascii=False, sort_keys=True, default=str),
        address=deed.by.address,
        hash="",
    )


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
