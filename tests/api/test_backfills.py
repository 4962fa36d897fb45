"""Backfills and completeness, as the operator asks for them, and nobody else."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from callspool.domain.audit import By
from callspool.domain.backfill import Backfill, Sighting, Step
from callspool.domain.ids import AccountId
from tests.api.conftest import Api, new_sid

LEASE = timedelta(seconds=30)
DAY = datetime(2026, 11, 20, tzinfo=UTC)
WISH = {"account_id": "main", "since": "2026-11-20T00:00:00Z", "until": "2026-11-22T00:00:00Z", "dry_run": False}
QUESTION = "/api/completeness?account_id=main&from=2026-11-01&before=2026-12-01"


async def ask(api: Api, method: str, path: str, who: str | None = "operator", json: object = None) -> httpx.Response:
    return await api.client.request(method, path, headers=api.as_(who), json=json)


async def list_a_day(api: Api, *sids: str) -> Backfill:
    store = api.services.store
    made = await store.add_backfill(AccountId("main"), DAY, DAY + timedelta(days=1), dry_run=False, by=By("test"))
    await store.claim_backfill("test", LEASE, sliding=False, span=LEASE, only=made.id)
    await store.begin_window(made.id, "test", LEASE)
    step = Step([Sighting(sid, DAY) for sid in sids], (), 0, None)
    done = await store.note_page(made.id, "test", LEASE, step)
    assert done is not None
    return done


@pytest.fixture(autouse=True)
def late_enough(api: Api) -> None:
    """Let the days that are listed lie in the past."""
    api.clock.ahead = max(timedelta(), DAY + timedelta(days=3) - datetime.now(UTC))


@pytest.mark.rule("I9")
@pytest.mark.parametrize("who", ["acme", "bravo", None])
async def test_no_tenant_learns_of_an_account_s_lists(api: Api, who: str | None) -> None:
    sid = new_sid("RE")
    made = await list_a_day(api, sid)
    for method, path in [
        ("GET", "/api/backfills"),
        ("POST", "/api/backfills"),
        ("GET", f"/api/backfills/{made.id}"),
        ("DELETE", f"/api/backfills/{made.id}"),
        ("GET", QUESTION),
    ]:
        answer = await ask(api, method, path, who, WISH if method == "POST" else None)
        assert answer.status_code == (403 if who else 401), (method, path)
        assert sid not in answer.text
    assert (await api.services.store.backfills(limit=9)) == [made]


async def test_a_backfill_is_asked_for_seen_and_cancelled(api: Api) -> None:
    made = await ask(api, "POST", "/api/backfills", json=WISH)
    assert made.status_code == 202, made.text
    one = made.json()
    assert (one["state"], one["windows"], one["windows_done"], one["eta_s"]) == ("waiting", 2, 0, None)
    assert (one["since"], one["until"]) == ("2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z")
    assert (await ask(api, "GET", "/api/backfills")).json()["backfills"] == [one]
    assert (await ask(api, "GET", f"/api/backfills/{one['id']}")).json() == one
    kept = await api.services.store.backfill(one["id"])
    assert kept.actor.startswith("key:key_")

    gone = await ask(api, "DELETE", f"/api/backfills/{one['id']}")

    assert (gone.status_code, gone.json()["state"]) == (200, "cancelled")
    log = await api.services.store.audit_log(None, limit=2)
    assert [(entry.action, entry.target) for entry in log] == [
        ("backfill.cancel", one["id"]),
        ("backfill.add", one["id"]),
    ]
    again = await ask(api, "DELETE", f"/api/backfills/{one['id']}")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_without_an_end_it_goes_until_now(api: Api) -> None:
    made = await ask(api, "POST", "/api/backfills", json={**WISH, "until": None, "dry_run": True})
    assert made.status_code == 202, made.text
    until = datetime.fromisoformat(made.json()["until"])
    assert abs(until - api.clock.now()) < timedelta(minutes=1)
    assert made.json()["dry_run"] is True


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"account_id": "nobody"}, 404),
        ({"since": "2099-01-01T00:00:00Z", "until": None}, 422),
        ({"since": "2026-11-20T00:00:00"}, 422),
        ({"since": "soon"}, 422),
        ({"other": 1}, 422),
    ],
)
async def test_what_cannot_be_listed_is_refused(api: Api, changes: dict[str, object], status: int) -> None:
    answer = await ask(api, "POST", "/api/backfills", json={**WISH, **changes})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_completeness_names_what_is_missing(api: Api) -> None:
    known = await api.ready()
    failed = await api.failed()
    missing = new_sid("RE")
    await list_a_day(api, known.provider_recording_id, failed.provider_recording_id, missing)

    answer = await ask(api, "GET", QUESTION)

    days = answer.json()["days"]
    (day,) = [one for one in days if one["listed_at"]]
    assert [one["day"] for one in days][:2] == ["2026-11-01", "2026-11-02"], "those that nobody listed too"
    assert day.pop("listed_at") is not None
    assert day == {
        "day": "2026-11-20",
        "listed": 3,
        "kept": 1,
        "failed": {"gone": 1},
        "missing": [missing],
        "missing_count": 1,
        "absent": 0,
        "cancelled": 0,
        "purged": 0,
        "pending": 0,
        "vanished": 0,
    }


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("account_id=nobody&from=2026-11-01&before=2026-11-02", 404),
        ("account_id=main&from=2026-11-02&before=2026-11-02", 422),
        ("account_id=main&from=2020-11-02&before=2026-11-02", 422),
        ("account_id=main&from=2026-11-02", 422),
    ],
)
async def test_a_report_on_no_span_is_refused(api: Api, query: str, status: int) -> None:
    assert (await ask(api, "GET", f"/api/completeness?{query}")).status_code == status
