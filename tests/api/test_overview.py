"""What the dashboard is drawn from: what happens now, what failed, and what a search finds."""

from datetime import timedelta
from typing import Any

import pytest

from callspool.domain.job import Job
from callspool.domain.reasons import POLICIES, Reason
from callspool.domain.tenant import Tenant
from tests.api.conftest import Api

FIGURES = ("current_limit", "running", "waiting", "oldest_waiting_at", "circuit", "retry_budget")
"""What only the scheduler knows of an account."""


async def test_the_operator_sees_every_tenant_and_account(api: Api) -> None:
    ready, queued = await api.ready(), await api.record()
    await api.failed("bravo")
    await api.services.producer.submit(Job(queued.id, "main", "acme"))

    now = (await api.get("/api/overview", "operator")).json()

    acme, bravo = now["tenants"]
    assert (acme["id"], acme["slots"], acme["weight"], acme["paused"]) == ("acme", 3, 1.0, False)
    assert (acme["running"], acme["waiting"], acme["deferred"]) == (0, 1, 0)
    assert acme["oldest_waiting_at"] <= now["at"]
    assert acme["states"] == {"queued": 1, ready.state: 1}
    assert (bravo["states"], bravo["oldest_waiting_at"]) == ({"failed": 1}, None)
    main, second = now["accounts"]
    assert (main["id"], main["provider"], main["limit"], main["current_limit"]) == ("main", "twilio", 20, 20)
    assert (main["running"], main["waiting"], second["waiting"]) == (0, 1, 0)
    assert main["oldest_waiting_at"] <= now["at"]
    assert second["oldest_waiting_at"] is None
    assert (main["circuit"], main["paused"], main["paused_until"], main["paused_because"]) == (
        *("closed", False),
        *(None, None),
    )
    assert main["retry_budget"] == 20
    assert 1 / 30 - 0.01 <= acme["ready_per_minute"] == main["ready_per_minute"] <= 1 / 15 + 0.01
    assert (bravo["ready_per_minute"], second["ready_per_minute"]) == (0, 0)


@pytest.mark.rule("I9")
async def test_a_tenant_sees_itself_and_no_account(api: Api) -> None:
    await api.record("bravo")
    await api.failed("bravo")

    now = (await api.get("/api/overview")).json()

    assert [tenant["id"] for tenant in now["tenants"]] == ["acme"]
    assert now["tenants"][0]["states"] == {}
    assert now["accounts"] == []


async def test_without_the_scheduler_its_figures_are_not_known(api_without_valkey: Api) -> None:
    await api_without_valkey.record()

    now = (await api_without_valkey.get("/api/overview", "operator")).json()

    assert now["tenants"][0]["states"] == {"queued": 1}
    assert {now["tenants"][0][name] for name in ("running", "waiting", "deferred", "oldest_waiting_at")} == {None}
    assert {now["accounts"][0][name] for name in FIGURES} == {None}


async def test_failures_are_grouped_by_reason(api: Api) -> None:
    api.clock.ahead = timedelta(minutes=-10)
    first = await api.failed(reason=Reason.TRUNCATED)
    api.clock.ahead = timedelta()
    last = await api.failed("bravo", reason=Reason.TRUNCATED)
    await api.failed(reason=Reason.GONE)
    await api.deferred()  # it has a reason too, but has not failed

    truncated, gone = (await api.get("/api/failures", "operator")).json()["groups"]

    assert (truncated["reason"], truncated["count"], truncated["retryable"]) == ("truncated", 2, True)
    assert truncated["sentence"] == POLICIES[Reason.TRUNCATED].sentence
    assert truncated["oldest"] == first.updated_at.isoformat().replace("+00:00", "Z")
    assert truncated["newest"] == last.updated_at.isoformat().replace("+00:00", "Z")
    assert (gone["reason"], gone["count"], gone["retryable"]) == ("gone", 1, False)
    of_bravo = (await api.get("/api/failures?tenant=bravo", "operator")).json()["groups"]
    assert [(one["reason"], one["count"]) for one in of_bravo] == [("truncated", 1)]
    assert (await api.get("/api/failures", "bravo")).json()["groups"] == of_bravo


async def test_an_account_that_breaks_stands_out_among_the_failures(api: Api) -> None:
    await api.failed(reason=Reason.TRUNCATED)
    await api.failed(reason=Reason.UNAUTHORIZED, account="second")
    await api.failed(reason=Reason.TRUNCATED, account="second")
    await api.failed("bravo", reason=Reason.UNAUTHORIZED, account="second")

    async def told(query: str = "", who: str = "operator") -> dict[str, Any]:
        answer = await api.get(f"/api/failures{query}", who)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def counts(found: dict[str, Any]) -> dict[str, int]:
        return {one["reason"]: one["count"] for one in found["groups"]}

    everything = await told()
    assert everything["accounts"] == [{"account_id": "second", "count": 3}, {"account_id": "main", "count": 1}]
    assert {one["reason"]: one["accounts"] for one in everything["groups"]} == {
        "truncated": [{"account_id": "main", "count": 1}, {"account_id": "second", "count": 1}],
        "unauthorized": [{"account_id": "second", "count": 2}],
    }
    narrowed = await told("?account=second")
    assert counts(narrowed) == {"truncated": 1, "unauthorized": 2}
    assert narrowed["accounts"] == everything["accounts"], "the others are still there to be chosen"
    assert {(one["oldest"], one["newest"]) for one in narrowed["groups"]} == {(None, None)}
    assert counts(await told("?account=main&tenant=bravo")) == counts(await told("?account=nobody")) == {}
    of_acme = [{"account_id": "second", "count": 2}, {"account_id": "main", "count": 1}]
    assert (await told(who="acme"))["accounts"] == of_acme


async def test_a_search_finds_a_recording_by_any_of_its_ids(api: Api) -> None:
    await api.services.store.add_tenant(Tenant("third", "Third"))
    wanted = await api.record(call_id="CA" + "7" * 32)
    await api.record()

    async def found(query: str, who: str = "acme", **more: str) -> list[str]:
        answer = await api.get("/api/recordings", who, params={"q": query, **more})
        return [row["id"] for row in answer.json()["recordings"]]

    for text in (wanted.id, wanted.call_id, wanted.provider_recording_id):
        assert await found(text) == await found(text, "operator") == [wanted.id]
        assert await found(f"  {text} ") == [wanted.id]
        assert await found(text, "bravo") == await found(text, "operator", tenant="bravo") == []
        assert await found(text, state="ready") == await found(text[:-1]) == []
