"""Recordings and the audit log as CSV (RFC 4180), a page at a time, for spreadsheets that must not be fooled.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a return for a formula: it runs. Names,
ids and phone numbers come from strangers; so such a text gets an apostrophe before it, which says that it is text.
"""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Final

from callspool.domain.audit import AuditEntry
from callspool.domain.ports.audit import AuditStore
from callspool.domain.ports.recordings import RecordingFilter, RecordingStore
from callspool.domain.recording import Recording

PAGE: Final = 500
_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")

RECORDING_COLUMNS: Final = (
    *(
        "id",
        "tenant_id",
        "account_id",
        "provider_recording_id",
        "call_id",
        "state",
        "reason",
        "from_number",
        "to_number",
    ),
    *("direction", "started_at", "created_at", "ready_at", "updated_at", "duration_s", "size", "sha256", "verified"),
)
AUDIT_COLUMNS: Final = ("seq", "at", "actor", "action", "target", "tenant_id", "detail", "address", "hash")


def guarded(cell: object) -> object:
    """Return what a spreadsheet shows as it is and never runs."""
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).lower()
        case datetime():
            return cell.isoformat()
        case int() | float():
            return cell
    text = str(cell)
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text


def as_csv(rows: Iterable[Iterable[object]]) -> bytes:
    """Return rows as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows([guarded(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


async def recordings_csv(store: RecordingStore, wanted: RecordingFilter) -> AsyncIterator[bytes]:
    """Yield all that match, newest first; the head of the table comes with the first page."""
    head, cursor = as_csv([RECORDING_COLUMNS]), None
    while True:
        page = await store.list(wanted, cursor=cursor, limit=PAGE)
        yield head + as_csv(_recording_row(one) for one in page.recordings)
        head, cursor = b"", page.next_cursor
        if cursor is None:
            return


async def audit_csv(store: AuditStore) -> AsyncIterator[bytes]:
    """Yield the whole log, newest first."""
    head, before = as_csv([AUDIT_COLUMNS]), None
    while True:
        entries = await store.audit_log(before, limit=PAGE)
        yield head + as_csv(_audit_row(one) for one in entries)
        if len(entries) < PAGE:
            return
        head, before = b"", entries[-1].seq


def _recording_row(one: Recording) -> tuple[object, ...]:
    kept, call = one.kept, one.call
    return (
        *(one.id, one.tenant_id, one.account_id, one.provider_recording_id, one.call_id, one.state, one.reason),
        *((call.from_number, call.to_number, call.direction) if call else (None, None, None)),
        *(one.started_at, one.created_at, one.ready_at, one.updated_at),
        *((kept.duration_s, kept.size, kept.sha256, kept.verified) if kept else (None, None, None, None)),
    )


def _audit_row(one: AuditEntry) -> tuple[object, ...]:
    return (*(one.seq, one.at, one.actor, one.action, one.target, one.tenant_id, one.detail, one.address, one.hash),)
