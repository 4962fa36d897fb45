"""What providers listed, beside what we have of it: sightings, whole days, completeness.

Nothing here touches a recording: what has vanished at the provider is marked in its sighting, and we keep ours.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callspool.domain.backfill import DAY, DayReport, Sighting, midnight
from callspool.domain.errors import NotFound
from callspool.domain.ids import AccountId
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from callspool.store import rows
from callspool.store.tables import accounts, listed_days, recordings, sightings

_S: Final = sightings.c
_R: Final = recordings.c
_ID_CHUNK: Final = 500
_MOST_NAMED: Final = 100
_FIGURES: Final = {
    State.READY: "kept",
    State.ABSENT: "absent",
    State.CANCELLED: "cancelled",
    State.PURGED: "purged",
    State.ANNOUNCED: "pending",
    State.QUEUED: "pending",
    State.FETCHING: "pending",
}
"""Where each state but ``failed``, which is counted by reason, appears in a report."""


def see(connection: Connection, account_id: AccountId, at: datetime, seen: Sequence[Sighting]) -> None:
    """Note each, or that it is there (again). Two runs may note the same: the later time stays."""
    by_id = {
        one.provider_recording_id: {
            "account_id": account_id,
            "provider_recording_id": rows.clean(one.provider_recording_id),
            "created_at": one.created_at,
            "seen_at": at,
        }
        for one in seen
    }
    if not by_id:
        return
    statement = _insert(connection, sightings)
    given = statement.excluded
    upsert = statement.on_conflict_do_update(
        index_elements=[_S.account_id, _S.provider_recording_id],
        set_={"seen_at": given.seen_at, "created_at": given.created_at, "gone_at": None},
        where=_S.seen_at < given.seen_at,
    )
    connection.execute(upsert, [by_id[name] for name in sorted(by_id)])  # in one order: no two block each other


def miss(
    connection: Connection,
    account_id: AccountId,
    begin: datetime,
    end: datetime,
    *,
    not_since: datetime,
    count_only: bool,
) -> int:
    """Mark what was made between *begin* and *end* and was not seen again as vanished; return how many those are."""
    missed = and_(_on_days(account_id, begin, end), _S.seen_at < not_since, _S.gone_at.is_(None))
    if count_only:
        return connection.execute(select(func.count()).select_from(sightings).where(missed)).scalar_one()
    return connection.execute(update(sightings).where(missed).values(gone_at=not_since)).rowcount


def note_day(connection: Connection, account_id: AccountId, day: datetime, at: datetime) -> None:
    """Note that all of the day was listed, as far as it had come *at*."""
    statement = _insert(connection, listed_days).values(account_id=account_id, day=day, listed_at=at)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[listed_days.c.account_id, listed_days.c.day],
            set_={"listed_at": statement.excluded.listed_at},
            where=listed_days.c.listed_at < statement.excluded.listed_at,
        )
    )


def states_of(
    connection: Connection, account_id: AccountId, provider_recording_ids: Sequence[str]
) -> Mapping[str, State]:
    """Return the states of what we know."""
    found: dict[str, State] = {}
    for start in range(0, len(provider_recording_ids), _ID_CHUNK):
        query = select(recordings.c.provider_recording_id, recordings.c.state).where(
            recordings.c.account_id == account_id,
            recordings.c.provider_recording_id.in_(provider_recording_ids[start : start + _ID_CHUNK]),
        )
        found.update((sid, State(state)) for sid, state in connection.execute(query))
    return found


def completeness(
    connection: Connection, now: datetime, account_id: AccountId, since: date, before: date
) -> Sequence[DayReport]:
    """Return each day that has begun."""
    need_account(connection, account_id)
    begin, end = _midnight(since), min(_midnight(before), midnight(now) + DAY)
    days = select(listed_days.c.day, listed_days.c.listed_at).where(
        listed_days.c.account_id == account_id, listed_days.c.day >= begin, listed_days.c.day < end
    )
    listed = {row.day: row.listed_at for row in connection.execute(days)}
    day, reports = begin, []
    while day < end:
        known = _first_day(connection, account_id, day, end, listed)
        while day < (known or end):
            reports.append(DayReport(day.date(), None))
            day += DAY
        if known is not None:
            reports.append(_report(connection, account_id, known, listed.get(known)))
            day = known + DAY
    return reports


def _first_day(
    connection: Connection, account_id: AccountId, begin: datetime, end: datetime, listed: Mapping[datetime, datetime]
) -> datetime | None:
    """Return the next day of which anything is known, so that a span of years costs no more than what is in it."""
    seen = connection.execute(select(func.min(_S.created_at)).where(_on_days(account_id, begin, end))).scalar()
    days = [day for day in listed if begin <= day]
    return min([*days, *([] if seen is None else [midnight(seen)])], default=None)


def _report(connection: Connection, account_id: AccountId, day: datetime, listed_at: datetime | None) -> DayReport:
    ours = and_(_R.account_id == _S.account_id, _R.provider_recording_id == _S.provider_recording_id)
    both = sightings.outerjoin(recordings, ours)
    here = _on_days(account_id, day, day + DAY)
    query = (
        select(_S.gone_at.is_not(None), _R.state, _R.reason, func.count())
        .select_from(both)
        .where(here)
        .group_by(_S.gone_at.is_not(None), _R.state, _R.reason)
    )
    figures = dict.fromkeys(("listed", "missing_count", "vanished", *_FIGURES.values()), 0)
    failed: dict[Reason, int] = {}
    for gone, state, reason, count in connection.execute(query):
        if gone:
            figures["vanished"] += count
            continue
        figures["listed"] += count
        if state is None:
            figures["missing_count"] += count
        elif state == State.FAILED.value:
            why = Reason(reason)
            failed[why] = failed.get(why, 0) + count
        else:
            figures[_FIGURES[State(state)]] += count
    missing = (
        select(_S.provider_recording_id)
        .select_from(both)
        .where(here, _S.gone_at.is_(None), _R.id.is_(None))
        .order_by(_S.created_at, _S.provider_recording_id)
        .limit(_MOST_NAMED)
    )
    named = tuple(connection.execute(missing).scalars()) if figures["missing_count"] else ()
    return DayReport(day.date(), listed_at, failed=failed, missing=named, **figures)


def need_account(connection: Connection, account_id: AccountId) -> None:
    """Raise `NotFound` where there is no such account."""
    if connection.execute(select(accounts.c.id).where(accounts.c.id == account_id)).first() is None:
        raise NotFound(f"There is no account {account_id!r}.")


def _on_days(account_id: AccountId, begin: datetime, end: datetime) -> ColumnElement[bool]:
    return and_(_S.account_id == account_id, _S.created_at >= begin, _S.created_at < end)


def _insert(connection: Connection, table: Table) -> Any:
    return (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
