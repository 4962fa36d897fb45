"""Backfills: who lists now, how far it is, and what the provider showed. What each promises: ``domain.backfill``.

A run is held by a lease in its row: every write of its holder names the holder, so one that was frozen and lost it
changes nothing. Times are this process's; leases are long beside any difference between clocks that matters here.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, case, insert, or_, select, update

from callspool.domain.backfill import (
    DAY,
    FURTHEST_BACK,
    UNDER_WAY,
    Backfill,
    BackfillState,
    Sighting,
    Step,
    midnight,
    window_end,
)
from callspool.domain.errors import Conflict, InvalidInput, NotFound
from callspool.domain.ids import AccountId, new_recording_id
from callspool.store import rows, sights
from callspool.store.dialects import insert_or_ignore
from callspool.store.tables import backfills

_B: Final = backfills.c
_NONE: Final = {"listed": 0, "inserted": 0, "vanished": 0, "window_listed": 0, "window_inserted": 0}


def add(
    connection: Connection,
    now: datetime,
    account_id: AccountId,
    since: datetime,
    until: datetime | None,
    *,
    dry_run: bool,
    actor: str,
) -> Backfill:
    """Write down that it shall run."""
    sights.need_account(connection, account_id)
    since, until = midnight(since), min(until or now, now)
    if since >= until:
        raise InvalidInput("since", "A backfill covers whole days, of which the first must have begun before its end.")
    number = new_recording_id(int(now.timestamp() * 1000), secrets.token_bytes(10)).removeprefix("rec_")
    values = _fresh(f"bf_{number}", account_id, now, since, until) | {"dry_run": dry_run, "actor": rows.clean(actor)}
    return _backfill(connection.execute(insert(backfills).values(values).returning(backfills)).one())


def get(connection: Connection, backfill_id: str) -> Backfill:
    """Return it or raise `NotFound`."""
    row = connection.execute(select(backfills).where(_B.id == backfill_id)).first()
    if row is None:
        raise NotFound(f"There is no backfill {backfill_id!r}.")
    return _backfill(row)


def newest(connection: Connection, limit: int) -> Sequence[Backfill]:
    """Return those that were asked for, newest first."""
    query = select(backfills).where(_B.sliding.is_(False)).order_by(_B.id.desc()).limit(limit)
    return [_backfill(row) for row in connection.execute(query)]


def cancel(connection: Connection, now: datetime, backfill_id: str) -> Backfill:
    """End it, whoever holds it."""
    change = update(backfills).where(_B.id == backfill_id, _B.sliding.is_(False), _under_way())
    values = {"state": BackfillState.CANCELLED.value, "ended_at": now, "holder": None, "held_until": None}
    row = connection.execute(change.values(values).returning(backfills)).first()
    if row is not None:
        return _backfill(row)
    raise Conflict(f"This backfill is {get(connection, backfill_id).state}: there is nothing to cancel.")


def ensure_sliding(connection: Connection, now: datetime, account_id: AccountId, first_at: datetime) -> None:
    """Insert the continuous one, unless it is there."""
    values = _fresh(f"sliding_{account_id}", account_id, now, now, now)
    given = {**values, "sliding": True, "actor": "reconciler", "not_before": first_at}
    connection.execute(insert_or_ignore(backfills)[connection.dialect.name].values(given))


def claim(
    connection: Connection,
    now: datetime,
    holder: str,
    lease: timedelta,
    *,
    sliding: bool,
    span: timedelta,
    only: str | None,
) -> Backfill | None:
    """Take the first that is due and free; guarded, so that of two processes one gets it."""
    free = and_(
        _under_way(),
        _B.sliding.is_(sliding),
        _B.not_before <= now,
        or_(_B.held_until.is_(None), _B.held_until < now),
    )
    if only is None and not sliding:
        free = and_(free, ~_is_listed_by_another(now))
    due = select(_B.id).where(free, *(() if only is None else (_B.id == only,))).order_by(_B.not_before, _B.id).limit(5)
    for candidate in connection.execute(due).scalars().all():
        held = {"holder": holder, "held_until": now + lease}
        row = connection.execute(
            update(backfills).where(_B.id == candidate, free).values(held).returning(backfills)
        ).first()
        if row is not None:
            return _start(connection, now, row, span)
    return None


def _is_listed_by_another(now: datetime) -> ColumnElement[bool]:
    """Its account is being listed for another run that was asked for: one provider account, one line of questions."""
    other = backfills.alias("other")
    held = select(other.c.id).where(
        other.c.account_id == _B.account_id,
        other.c.id != _B.id,
        other.c.sliding.is_(False),
        other.c.state == BackfillState.RUNNING.value,
        other.c.held_until >= now,
    )
    return held.correlate(backfills).exists()


def _start(connection: Connection, now: datetime, row: Row[Any], span: timedelta) -> Backfill:
    if row.state == BackfillState.RUNNING.value:
        return _backfill(row)  # it broke off: its position and its counts stand
    values: dict[str, Any] = {"state": BackfillState.RUNNING.value, "started_at": now}
    if row.sliding:
        # What an outage, or failures, left unlisted is listed now: the position says how far the last one came.
        since = midnight(max(min(now - span, row.position), now - FURTHEST_BACK))
        values |= {"since": since, "position": since, "until": now, "cursor": None, "begun_at": None, **_NONE}
    change = update(backfills).where(_B.id == row.id).values(values).returning(backfills)
    return _backfill(connection.execute(change).one())


def renew(connection: Connection, now: datetime, backfill_id: str, holder: str, lease: timedelta) -> bool:
    """Hold it for longer."""
    return _change(connection, backfill_id, holder, held_until=now + lease) is not None


def begin_window(
    connection: Connection, now: datetime, backfill_id: str, holder: str, lease: timedelta
) -> Backfill | None:
    """Begin the window at the position, forgetting what it had counted before."""
    row = _change(
        connection,
        backfill_id,
        holder,
        held_until=now + lease,
        cursor=None,
        begun_at=now,
        listed=_B.listed - _B.window_listed,
        # What was really inserted stays so, and is known when it is listed again.
        inserted=case((_B.dry_run, _B.inserted - _B.window_inserted), else_=_B.inserted),
        window_listed=0,
        window_inserted=0,
    )
    return None if row is None else _backfill(row)


def note_page(
    connection: Connection, now: datetime, backfill_id: str, holder: str, lease: timedelta, step: Step
) -> Backfill | None:
    """Sightings, counts and the place to go on, together."""
    row = _change(
        connection,
        backfill_id,
        holder,
        held_until=now + lease,
        cursor=step.next_cursor,
        listed=_B.listed + len(step.sightings),
        inserted=_B.inserted + step.inserted,
        window_listed=_B.window_listed + len(step.sightings),
        window_inserted=_B.window_inserted + step.inserted,
    )
    if row is None:
        return None
    backfill = _backfill(row)
    begun_at = backfill.begun_at or now
    unread = [Sighting(one, backfill.position) for one in step.unread]
    sights.see(connection, backfill.account_id, begun_at, [*step.sightings, *unread])
    return backfill if step.next_cursor is not None else _finish_window(connection, backfill, begun_at)


def _finish_window(connection: Connection, backfill: Backfill, begun_at: datetime) -> Backfill:
    begin, end = backfill.position, window_end(backfill.position, backfill.until)
    vanished = sights.miss(connection, backfill.account_id, begin, end, not_since=begun_at, count_only=backfill.dry_run)
    whole = end == begin + DAY
    if begin == midnight(begin) and (whole or end >= backfill.created_at):  # of today: all that there is so far
        sights.note_day(connection, backfill.account_id, begin, begun_at if whole else end)
    change = update(backfills).where(_B.id == backfill.id)
    values = {"position": end, "begun_at": None, "window_listed": 0, "window_inserted": 0}
    row = connection.execute(change.values(vanished=_B.vanished + vanished, **values).returning(backfills)).one()
    return _backfill(row)


def release(connection: Connection, backfill_id: str, holder: str, until: datetime | None) -> None:
    """Let go, perhaps until a time."""
    more = {} if until is None else {"not_before": until}
    _change(connection, backfill_id, holder, holder=None, held_until=None, **more)


def end(
    connection: Connection, now: datetime, backfill_id: str, holder: str, error: str | None, next_at: datetime | None
) -> Backfill | None:
    """End it, or let it wait for its next time."""
    state = BackfillState.FAILED if error else BackfillState.DONE
    if next_at is not None:
        state = BackfillState.WAITING
    more = {} if next_at is None else {"not_before": next_at}
    row = _change(
        connection,
        backfill_id,
        holder,
        state=state.value,
        error=rows.clean(error),
        ended_at=now,
        holder=None,
        held_until=None,
        **more,
    )
    return None if row is None else _backfill(row)


def _change(connection: Connection, backfill_id: str, holder: str, /, **values: Any) -> Row[Any] | None:
    """Change a row that is running and that *holder* holds."""
    ours = and_(_B.id == backfill_id, _B.holder == holder, _B.state == BackfillState.RUNNING.value)
    return connection.execute(update(backfills).where(ours).values(values).returning(backfills)).first()


def _under_way() -> ColumnElement[bool]:
    return _B.state.in_(sorted(state.value for state in UNDER_WAY))


def _fresh(backfill_id: str, account_id: AccountId, now: datetime, since: datetime, until: datetime) -> dict[str, Any]:
    return {
        "id": backfill_id,
        "account_id": account_id,
        "since": since,
        "until": until,
        "dry_run": False,
        "sliding": False,
        "state": BackfillState.WAITING.value,
        "position": since,
        "created_at": now,
        "not_before": now,
        **_NONE,
    }


def _backfill(row: Row[Any]) -> Backfill:
    return Backfill(
        id=row.id,
        account_id=AccountId(row.account_id),
        since=row.since,
        until=row.until,
        dry_run=row.dry_run,
        sliding=row.sliding,
        state=BackfillState(row.state),
        position=row.position,
        cursor=row.cursor,
        begun_at=row.begun_at,
        listed=row.listed,
        inserted=row.inserted,
        vanished=row.vanished,
        window_listed=row.window_listed,
        window_inserted=row.window_inserted,
        error=row.error,
        actor=row.actor,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
