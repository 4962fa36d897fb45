"""What an operator changes in place: limits, pauses and keys."""

from typing import Any

import pytest

from callspool.domain.job import Job
from tests.api.conftest import Api


async def patch(api: Api, path: str, change: dict[str, Any], who: str = "operator") -> Any:
    answer = await api.client.patch(path, headers=api.as_(who), json=change)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.rule("S6")
async def test_a_tenants_limits_are_in_force_at_once(api: Api) -> None:
    changed = await patch(api, "/api/tenants/acme", {"slots": 7, "weight": 2.5})

    assert changed == {
        "id": "acme",
        "name": "Acme",
        "slots": 7,
        "weight": 2.5,
        "paused": False,
        "keep_days": None,
        "allowed_origins": [],
        "in_force": True,
    }
    assert (await api.services.store.tenant("acme")).slots == 7
    (load,) = await api.services.producer.load(["acme"])
    assert load.slots == 7
    assert (await patch(api, "/api/tenants/acme", {"paused": True}))["slots"] == 7
    recording = await api.record()
    await api.services.producer.submit(Job(recording.id, "main", "acme"))
    assert (await api.services.producer.why(recording.id)).tenant_paused
    assert (await patch(api, "/api/tenants/acme", {"paused": False}))["paused"] is False
    assert not (await api.services.producer.why(recording.id)).tenant_paused


async def test_a_tenants_retention_is_set_and_taken_back(api: Api) -> None:
    assert (await patch(api, "/api/tenants/acme", {"keep_days": 90}))["keep_days"] == 90
    assert (await patch(api, "/api/tenants/acme", {"slots": 7}))["keep_days"] == 90
    assert (await api.services.store.tenant("acme")).retention_days == 90
    assert (await patch(api, "/api/tenants/acme", {"keep_days": 0}))["keep_days"] is None
    assert (await api.services.store.tenant("acme")).retention_days is None


async def test_an_accounts_limit_and_pause_are_in_force_at_once(api: Api) -> None:
    changed = await patch(api, "/api/accounts/main", {"limit": 5, "paused": True})

    assert changed == {
        "id": "main",
        "provider": "twilio",
        "default_tenant": "acme",
        "limit": 5,
        "paused": True,
        "in_force": True,
    }
    (load,) = await api.services.producer.pool_loads(["main"], [])
    assert (load.set_limit, load.paused) == (5, True)
    account = await api.services.store.account("main")
    assert (account.limit, account.paused, account.auth_token) == (5, True, "the-token")
    main, second = (await api.get("/api/accounts", "operator")).json()["accounts"]
    assert (main["limit"], main["paused"], second["limit"]) == (5, True, 20)
    assert "the-token" not in str(main)


async def test_without_the_scheduler_a_change_is_kept_and_says_that_it_waits(api_without_valkey: Api) -> None:
    api = api_without_valkey

    assert (await patch(api, "/api/tenants/acme", {"slots": 7}))["in_force"] is False
    assert (await patch(api, "/api/accounts/main", {"limit": 7}))["in_force"] is False

    assert (await api.services.store.tenant("acme")).slots == 7
    assert (await api.services.store.account("main")).limit == 7


@pytest.mark.parametrize(
    ("path", "change", "field"),
    [
        ("/api/tenants/acme", {"slots": -1}, "slots"),
        ("/api/tenants/acme", {"weight": 0}, "weight"),
        ("/api/tenants/acme", {"slot": 1}, "slot"),
        ("/api/accounts/main", {"limit": 10_001}, "limit"),
        ("/api/accounts/main", {"auth_token": "mine"}, "auth_token"),
    ],
)
async def test_a_wrong_change_is_a_problem_that_names_it(api: Api, path: str, change: object, field: str) -> None:
    answer = await api.client.patch(path, headers=api.as_("operator"), json=change)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_what_does_not_exist_is_not_found(api: Api) -> None:
    for path in ("/api/tenants/nobody", "/api/accounts/none"):
        answer = await api.client.patch(path, headers=api.as_("operator"), json={"paused": True})
        assert answer.status_code == 404


async def test_a_key_is_shown_once_and_opens_until_it_is_revoked(api: Api) -> None:
    made = (await api.post("/api/keys", "operator", json={"name": "crm", "tenant_id": "bravo"})).json()
    api.keys["crm"] = made["secret"]
    await api.record("bravo")

    assert len((await api.get("/api/recordings", "crm")).json()["recordings"]) == 1
    listed = await api.get("/api/keys", "operator")
    assert made["secret"] not in listed.text
    assert listed.json()["keys"][-1] == {name: value for name, value in made.items() if name != "secret"}
    revoked = await api.client.delete(f"/api/keys/{made['id']}", headers=api.as_("operator"))
    assert revoked.json()["revoked_at"] is not None
    assert (await api.get("/api/recordings", "crm")).status_code == 401


async def test_a_key_of_no_tenant_that_exists_is_not_made(api: Api) -> None:
    answer = await api.post("/api/keys", "operator", json={"name": "crm", "tenant_id": "nobody"})

    assert answer.status_code == 404
    assert len((await api.get("/api/keys", "operator")).json()["keys"]) == 3


async def test_changes_stand_in_the_audit_log_with_who_and_from_where(api: Api) -> None:
    await patch(api, "/api/tenants/acme", {"slots": 7})
    made = await api.client.post("/api/keys", headers=api.as_("operator"), json={"name": "CRM", "tenant_id": "acme"})

    log = (await api.get("/api/audit?limit=2", "operator")).json()

    key, change = log["entries"]
    assert (key["action"], key["target"], key["detail"]) == (
        "key.add",
        made.json()["id"],
        {"name": "CRM", "scopes": ["admin", "play", "read", "write"], "expires_at": None},
    )
    assert (change["action"], change["target"], change["detail"]) == ("tenant.set", "acme", {"slots": 7})
    assert change["actor"].startswith("key:key_")
    assert change["address"] == "127.0.0.1"
    older = (await api.get(f"/api/audit?limit=2&cursor={log['next_cursor']}", "operator")).json()
    assert [entry["seq"] for entry in older["entries"]] == [change["seq"] - 1, change["seq"] - 2]
    assert made.json().get("secret", made.json().get("key")) not in str(log)
