"""That the work for a page or a count does not grow with the number of recordings, as the engines count it themselves.

SQLite counts the steps of its virtual machine, PostgreSQL the rows that it read: neither depends on the machine.
"""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from callspool.domain.ids import AccountId, RecordingId
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from callspool.store import counts, lists
from callspool.store.lists import WINDOW
from tests.fixtures.databases import ACME, MAIN, OTHER, Database, SetClock

FEW, MANY = 400, 8000
PAGE = 20
STEPS_OF_A_ROW = 100
"""At most so many steps of SQLite's machine, and more than PostgreSQL's one, for each row that a page needs."""

FILL = """
    INSERT INTO recordings (id, tenant_id, account_id, provider_recording_id, call_id, state, version, attempt, tries,
                            not_ready, lost, reason, created_at, updated_at)
    WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})
    SELECT {id}, CASE WHEN n % 10 = 0 THEN 'other' ELSE 'acme' END, 'main', 'RE' || n, 'CA' || (n / 2),
           CASE WHEN n % 4 = 0 THEN 'failed' ELSE 'ready' END, 1, 1, 0, 0, 0,
           CASE WHEN n % 4 > 0 THEN NULL WHEN n % 100 IN (0, 4) THEN 'gone' ELSE 'truncated' END,
           '2026-11-23 12:00:00', '2026-11-23 12:00:00'
      FROM numbers
"""
"""Nine tenths are acme's; a quarter failed. The ids rise with the number."""


def fill(database: Database, first: int, last: int) -> None:
    id_ = "'rec_' || printf('%032x', n)" if "sqlite" in database.url else "'rec_' || lpad(to_hex(n), 32, '0')"
    for start in range(first, last, 1000):
        database.execute(FILL.format(first=start, last=min(start + 1000, last) - 1, id=id_))
    database.execute("ANALYZE")


async def work_of(url: str, question: Callable[[Connection], object]) -> int:
    """Return what the engine says that *question* cost: steps or rows."""
    address = make_url(url)
    if address.drivername == "sqlite":
        return _steps(str(address.database), question)
    engine = create_async_engine(address.set(drivername="postgresql+asyncpg"))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_rows, question)
    finally:
        await engine.dispose()


def _steps(path: str, question: Callable[[Connection], object]) -> int:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            question(connection)  # reading the schema is no part of it
            raw: Any = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.set_progress_handler(count, 1)
            question(connection)
            raw.set_progress_handler(None, 1)
    finally:
        engine.dispose()
    return steps


def _rows(connection: Connection, question: Callable[[Connection], object]) -> int:
    question(connection)
    read = text(
        "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_user_tables "
        "WHERE relname IN ('recordings', 'tallies')"
    )
    before = connection.execute(read).scalar_one()
    question(connection)
    return int(connection.execute(read).scalar_one() - before)


INDEXED = {
    "all": RecordingFilter(),
    "tenant": RecordingFilter(tenant_id=OTHER),
    "state": RecordingFilter(states=frozenset({State.FAILED})),
    "states nobody is in": RecordingFilter(tenant_id=ACME, states=frozenset({State.QUEUED, State.ABSENT})),
    "states": RecordingFilter(tenant_id=ACME, states=frozenset({State.READY, State.FAILED})),
    "account": RecordingFilter(account_id=MAIN),
    "account nobody has": RecordingFilter(account_id=AccountId("none")),
    "reason": RecordingFilter(reason=Reason.TRUNCATED),
    "reason nobody has": RecordingFilter(reason=Reason.STALLED),
    "failed for a reason": RecordingFilter(tenant_id=ACME, states=frozenset({State.FAILED}), reason=Reason.GONE),
    "failed for no such reason": RecordingFilter(
        tenant_id=ACME, states=frozenset({State.FAILED}), reason=Reason.STALLED
    ),
    "search": RecordingFilter(search="CA77"),
    "search in vain": RecordingFilter(search="nothing", tenant_id=OTHER, states=frozenset({State.READY})),
    "call": RecordingFilter(call_id="CA77", tenant_id=ACME),
    "provider's id": RecordingFilter(provider_recording_id="RE77"),
}
WINDOWED = {
    "reason of a tenant": RecordingFilter(tenant_id=OTHER, reason=Reason.STALLED),
    "state of an account": RecordingFilter(account_id=AccountId("none"), states=frozenset({State.READY})),
    "account of a tenant": RecordingFilter(account_id=AccountId("none"), tenant_id=ACME),
}


async def test_work_for_pages_and_counts_does_not_grow(database: Database, store: Store) -> None:
    def page(wanted: RecordingFilter) -> Callable[[Connection], object]:
        return lambda connection: lists.page(connection, wanted, None, PAGE)

    asked = {name: page(wanted) for name, wanted in INDEXED.items()}
    asked["counts"] = lambda connection: counts.count(connection, None)
    asked["failures"] = lambda connection: counts.failures(connection, None)

    fill(database, 0, FEW)
    before = {name: await work_of(database.url, question) for name, question in asked.items()}
    fill(database, FEW, MANY)
    after = {name: await work_of(database.url, question) for name, question in asked.items()}

    allowed = 3 * PAGE * (STEPS_OF_A_ROW if "sqlite" in database.url else 4)
    grown = {name: (before[name], work) for name, work in after.items() if work > max(allowed, 2 * before[name])}
    assert grown == {}
    counted = await store.count(None)
    assert sum(row.count for row in counted) == MANY
    assert {(row.tenant_id, row.reason): row.count for row in counted if row.reason} == {
        (group.tenant_id, group.reason): group.count for group in await store.failures(None)
    }
    for name, wanted in WINDOWED.items():
        work = await work_of(database.url, page(wanted))
        assert work < (STEPS_OF_A_ROW if "sqlite" in database.url else 4) * WINDOW, name


@pytest.mark.parametrize("account", [MAIN, AccountId("none")])
async def test_pages_that_come_short_lead_on_to_the_end(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch, account: AccountId
) -> None:
    monkeypatch.setattr(lists, "WINDOW", 10)
    fill(database, 0, 200)
    wanted = RecordingFilter(tenant_id=OTHER, reason=Reason.TRUNCATED, account_id=account)

    found: list[RecordingId] = []
    pages, cursor = 0, None
    while pages == 0 or cursor is not None:
        page = await store.list(wanted, cursor=cursor, limit=2)
        found += [recording.id for recording in page.recordings]
        pages, cursor = pages + 1, page.next_cursor

    assert found == ([f"rec_{n:032x}" for n in range(180, 0, -20) if n != 100] if account == MAIN else [])
    assert pages > 1


async def test_counts_follow_every_move_of_all_who_write(store: Store, clock: SetClock, database: Database) -> None:
    fill(database, 0, 100)
    database.execute("UPDATE recordings SET state = 'purged' WHERE state = 'ready' AND tenant_id = 'acme'")
    database.execute("UPDATE recordings SET reason = 'stalled' WHERE reason = 'gone'")
    clock.pass_by(timedelta(hours=1))

    counted = {(row.tenant_id, row.state, row.reason): row.count for row in await store.count(None)}

    assert counted == {
        (ACME, State.PURGED, None): 70,
        (ACME, State.FAILED, Reason.TRUNCATED): 19,
        (ACME, State.FAILED, Reason.STALLED): 1,
        (OTHER, State.READY, None): 5,
        (OTHER, State.FAILED, Reason.TRUNCATED): 4,
        (OTHER, State.FAILED, Reason.STALLED): 1,
    }
