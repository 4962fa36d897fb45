"""Pages of recordings, found along an index whatever is asked for.

What an index answers bounds what is read; what is left of the question is put to a window of `WINDOW` rows of it. So
a page may come short, or empty, and still have a next one: no question reads all recordings at once.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, literal_column, select, union

from callspool.domain.errors import InvalidInput
from callspool.domain.ids import RecordingId, is_recording_id, new_recording_id, phone_number
from callspool.domain.ports.recordings import Page, RecordingFilter
from callspool.domain.recording import State
from callspool.store import rows
from callspool.store.tables import recordings

WINDOW: Final = 5000

_R: Final = recordings.c
IS_FAILED: Final = _R.state == literal_column(f"'{State.FAILED.value}'")
"""Spelt out, because an index of failed recordings is not used for a parameter."""

Conditions = Sequence[ColumnElement[bool]]


def page(connection: Connection, wanted: RecordingFilter, cursor: str | None, limit: int) -> Page:
    """Return one page, newest first, beginning after the cursor's recording."""
    if wanted.states == frozenset():
        return Page((), None)
    sources, rest = _plan(wanted)
    bounds = _bounds(wanted, cursor)
    window = limit + 1 if not rest else WINDOW
    ids = _newest(sources, bounds, window)
    query = select(recordings).join(ids, ids.c.id == _R.id).where(*rest).order_by(ids.c.id.desc()).limit(limit + 1)
    found = [rows.recording(row) for row in connection.execute(query)]
    if len(found) > limit:
        return Page(tuple(found[:limit]), _write_cursor(found[limit - 1].id))
    return Page(tuple(found), _end_of_window(connection, ids) if rest else None)


def _end_of_window(connection: Connection, ids: Any) -> str | None:
    """Return where to look on; None: the window reached the end."""
    looked, last = connection.execute(select(func.count(), func.min(ids.c.id))).one()
    return _write_cursor(RecordingId(last)) if looked == WINDOW else None


def _newest(sources: Sequence[Conditions], bounds: Conditions, most: int) -> Any:
    """Return the newest ids of all sources together. Each is read along its own index, so none is sorted whole."""
    some = [
        select(select(_R.id).where(*source, *bounds).order_by(_R.id.desc()).limit(most).subquery())
        for source in sources
    ]
    together = union(*some).subquery() if len(some) > 1 else some[0].subquery()
    return select(together.c.id).order_by(together.c.id.desc()).limit(most).subquery("newest")


def _plan(wanted: RecordingFilter) -> tuple[Sequence[Conditions], Conditions]:
    """Return what indexes answer, one set of conditions for each index, and what is left to ask of each row."""
    asked = {
        name: _R[name] == str(value)
        for name in ("tenant_id", "account_id", "reason", "call_id", "provider_recording_id")
        if (value := getattr(wanted, name)) is not None
    }
    states = None if wanted.states is None else sorted(state.value for state in wanted.states)
    sources: list[Conditions]
    if wanted.search is not None:
        number = phone_number(wanted.search)
        sources = [[_R[name] == wanted.search] for name in ("id", "call_id", "provider_recording_id")]
        sources += [[_R[name] == (number or wanted.search)] for name in ("from_number", "to_number")]
    elif wanted.call_id is not None:
        sources = [[asked.pop("call_id")]]
    elif wanted.provider_recording_id is not None:
        sources = [[asked.pop("provider_recording_id")]]
    elif wanted.tenant_id is not None and wanted.reason is not None and states == [State.FAILED.value]:
        sources, states = [[asked.pop("tenant_id"), asked.pop("reason"), IS_FAILED]], None
    elif wanted.reason is not None and wanted.tenant_id is None:
        # For a tenant the index of all tenants' reasons is none: what the wall hides would be read without a bound.
        sources = [[asked.pop("reason")]]
    else:
        scope = [asked.pop("tenant_id")] if wanted.tenant_id is not None else []
        if states:
            sources, states = [[*scope, _R.state == state] for state in states], None
        elif wanted.account_id is not None and not scope:
            sources = [[asked.pop("account_id")]]
        else:
            sources = [scope]
    rest = [*asked.values(), *(() if states is None else [_R.state.in_(states)])]
    return sources, rest


def _bounds(wanted: RecordingFilter, cursor: str | None) -> Conditions:
    """Return between which ids to look: they sort by the time at which they were made."""
    bounds: list[ColumnElement[bool]] = []
    if cursor is not None:
        bounds.append(_R.id < _read_cursor(cursor))
    if wanted.created_from is not None:
        bounds += [_R.id >= _first_id(wanted.created_from, -1), _R.created_at >= wanted.created_from]
    if wanted.created_before is not None:
        bounds += [_R.id < _first_id(wanted.created_before, 2), _R.created_at < wanted.created_before]
    return bounds


def _first_id(at: datetime, spare_ms: int) -> RecordingId:
    """Return an id before all of that time. The milliseconds to spare are for rounding; the column decides."""
    ms = int(at.timestamp() * 1000) + spare_ms
    return new_recording_id(max(0, ms), bytes(10))


def _write_cursor(last: RecordingId) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(last.removeprefix("rec_"))).decode().rstrip("=")


def _read_cursor(cursor: str) -> RecordingId:
    try:
        last = RecordingId("rec_" + base64.b64decode(cursor + "==", altchars=b"-_", validate=True).hex())
    except (binascii.Error, ValueError):
        last = RecordingId("")
    if not is_recording_id(last):
        raise InvalidInput("cursor", "The cursor is not one that a list gave out. Begin again without it.")
    return last
