"""That a list of 100,000 recordings stays quick: first and deep pages, filters and searches, with ids as they are made.

Counted is what the engine did, as in test_store_bounded: the figures do not depend on the machine.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from callspool.domain.ids import RecordingId
from callspool.domain.operation import FailedFilter
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from callspool.store import counts, lists, operations
from tests.contract.test_store_bounded import PAGE, STEPS_OF_A_ROW, work_of
from tests.fixtures.databases import ACME, MAIN, OTHER, Database

MANY = 100_000
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = timedelta(minutes=1)
FILL = """
    INSERT INTO recordings (id, tenant_id, account_id, provider_recording_id, call_id, state, version, attempt, tries,
                            not_ready, lost, reason, created_at, updated_at)
    WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})
    SELECT {id}, CASE WHEN n % 10 = 0 THEN 'other' ELSE 'acme' END, 'main', 'RE' || n, 'CA' || (n / 2),
           CASE WHEN n % 4 = 0 THEN 'failed' ELSE 'ready' END, 1, 1, 0, 0, 0,
           CASE WHEN n % 4 = 0 THEN 'truncated' END, {at}, {at}
      FROM numbers
"""
SECONDS = f"({int(BEGUN.timestamp())} + n * {int(EVERY.total_seconds())})"


def fill(database: Database) -> None:
    """Add a recording a minute; its id begins with its time in ms, as of those that callspool makes."""
    ms, at = f"{SECONDS} * 1000", f"datetime({SECONDS}, 'unixepoch') || '.000000'"
    id_ = f"'rec_' || printf('%012x7%019x', {ms}, n)"
    if "sqlite" not in database.url:
        id_ = f"'rec_' || lpad(to_hex({SECONDS}::bigint * 1000), 12, '0') || '7' || lpad(to_hex(n), 19, '0')"
        at = f"to_timestamp({SECONDS})"
    for first in range(0, MANY, 1_000):
        database.execute(FILL.format(first=first, last=first + 999, id=id_, at=at))
    database.execute("ANALYZE")


async def test_a_hundred_thousand_recordings_are_listed_as_quickly_as_a_few(database: Database, store: Store) -> None:
    fill(database)
    middle = BEGUN + EVERY * (MANY // 2)
    failed = frozenset({State.FAILED})
    asked = {
        "all": RecordingFilter(),
        "tenant": RecordingFilter(tenant_id=OTHER),
        "state": RecordingFilter(states=failed),
        "tenant and state": RecordingFilter(tenant_id=ACME, states=failed),
        "account": RecordingFilter(account_id=MAIN),
        "reason": RecordingFilter(reason=Reason.TRUNCATED),
        "before": RecordingFilter(created_before=middle),
        "before the first": RecordingFilter(created_before=BEGUN),
        "from": RecordingFilter(created_from=middle),
        "after the last": RecordingFilter(created_from=BEGUN + EVERY * MANY),
        "a day of a tenant": RecordingFilter(
            tenant_id=OTHER, created_from=middle, created_before=middle + timedelta(days=1)
        ),
        "search": RecordingFilter(search="CA77"),
        "search in vain": RecordingFilter(search="nothing"),
    }
    allowed = 3 * PAGE * (STEPS_OF_A_ROW if "sqlite" in database.url else 4)

    def page(wanted: RecordingFilter, cursor: str | None) -> Callable[[Connection], object]:
        return lambda connection: lists.page(connection, wanted, cursor, PAGE)

    deep = lists._write_cursor(RecordingId(_id_of(1_000)))
    slow = {}
    for name, wanted in asked.items():
        for where, cursor in (("first page", None), ("deep page", deep)):
            work = await work_of(database.url, page(wanted, cursor))
            if work > allowed:
                slow[f"{name}, {where}"] = work

    of_account = FailedFilter(tenant_id=None, account_id=MAIN, reason=Reason.TRUNCATED)
    for name, question in {
        "failures": lambda connection: counts.failures(connection, None),
        "failures of a tenant": lambda connection: counts.failures(connection, OTHER),
        "failures of an account": lambda connection: operations.matching(connection, of_account),
    }.items():
        work = await work_of(database.url, question)
        if work > allowed:
            slow[name] = work

    assert slow == {}
    assert {group.tenant_id: dict(group.accounts) for group in await store.failures(None)} == {
        ACME: {MAIN: MANY // 4 - MANY // 20},
        OTHER: {MAIN: MANY // 20},
    }
    assert len((await store.list(asked["before"], cursor=None, limit=PAGE)).recordings) == PAGE
    assert (await store.list(asked["before the first"], cursor=None, limit=PAGE)).recordings == ()
    assert len((await store.list(asked["all"], cursor=deep, limit=PAGE)).recordings) == PAGE


def _id_of(number: int) -> str:
    ms = int((BEGUN + EVERY * number).timestamp() * 1000)
    return f"rec_{ms:012x}7{number:019x}"
