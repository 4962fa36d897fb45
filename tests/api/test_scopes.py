"""What a key may do, and until when: every route, asked with every scope."""

import re
import secrets
from datetime import timedelta

import pytest

from callspool.api.app import shell
from callspool.api.scopes import NEEDS, OPEN
from callspool.domain.keys import KEY_RANDOMNESS, new_key
from callspool.domain.tenant import Scope
from tests.api.conftest import Api, until


async def key_with(api: Api, *scopes: Scope, hours: float | None = None) -> dict[str, str]:
    """The headers of an operator's key."""
    now = api.services.clock.now()
    key, text = new_key(
        None,
        "a key",
        now=now,
        randomness=secrets.token_bytes(KEY_RANDOMNESS),
        scopes=frozenset(scopes),
        expires_at=None if hours is None else now + timedelta(hours=hours),
    )
    await api.services.store.add_key(key)
    return {"authorization": f"Bearer {text}"}


def test_every_route_has_its_scope_or_says_that_it_needs_none() -> None:
    declared = {(method.upper(), path) for path, known in shell().openapi()["paths"].items() for method in known}
    assert set(NEEDS) | OPEN == declared
    assert not set(NEEDS) & OPEN


async def test_each_route_opens_to_the_one_scope_that_it_needs(api: Api) -> None:
    headers = {scope: await key_with(api, scope) for scope in Scope}
    wrong = []
    for (method, path), needed in NEEDS.items():
        address = re.sub(r"{\w+}", "rec_" + "0" * 32, path)
        for scope in Scope:
            given = dict(headers[scope])
            if path == "/metrics":
                given["x-forwarded-for"] = "203.0.113.7"  # not from this machine
            if path == "/api/events":
                address = "/api/events?after=-1"  # a stream would not end; this is refused after the key was looked at
            answer = await api.client.request(method, address, headers=given)
            refused = answer.status_code == 403 and (method == "HEAD" or answer.json()["code"] == "scope_missing")
            if refused != (scope is not needed):
                wrong.append((method, path, scope, answer.status_code))
    assert wrong == []


async def test_a_key_says_what_it_may_do(api: Api) -> None:
    wish = {"name": "crm", "tenant_id": "acme", "scopes": ["read", "play"]}
    made = (await api.post("/api/keys", "operator", json=wish)).json()
    assert (made["scopes"], made["expires_at"]) == (["play", "read"], None)

    headers = {"authorization": f"Bearer {made['secret']}"}
    assert (await api.client.get("/api/session", headers=headers)).json()["scopes"] == ["play", "read"]
    refused = await api.client.post("/api/failures/retry", json={}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    assert "'write'" in refused.json()["detail"]
    assert (await api.get("/api/keys", "operator")).json()["keys"][-1]["scopes"] == ["play", "read"]


@pytest.mark.parametrize(
    "wish",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2099-01-01T00:00:00"},
    ],
)
async def test_a_key_that_could_do_nothing_is_not_made(api: Api, wish: dict[str, object]) -> None:
    assert (await api.post("/api/keys", "operator", json={"name": "x", **wish})).status_code == 422


async def test_a_key_opens_nothing_once_its_time_is_over(api: Api) -> None:
    """Nor does the session of a browser that signed in with it, nor what was just heard, for longer than a second."""
    headers = await key_with(api, *Scope, hours=1)
    recording = await api.ready()
    audio = f"/api/recordings/{recording.id}/audio"
    for path in ("/api/recordings", audio, audio):
        assert (await api.client.get(path, headers=headers)).status_code == 200
    text = headers["authorization"].split()[1]
    cookie = (await api.client.post("/api/session", json={"key": text})).headers["set-cookie"].split(";")[0]
    api.client.cookies.clear()

    api.clock.ahead = timedelta(hours=1)

    assert (await api.client.get("/api/recordings", headers=headers)).status_code == 401
    assert (await api.client.get("/api/recordings", headers={"cookie": cookie})).status_code == 401

    async def silent() -> bool:
        return (await api.client.get(audio, headers=headers)).status_code == 401

    await until(silent)


async def test_a_session_may_do_what_its_key_may(api: Api) -> None:
    text = (await key_with(api, Scope.READ))["authorization"].split()[1]
    answer = await api.client.post("/api/session", json={"key": text})
    cookie = {"cookie": answer.headers["set-cookie"].split(";")[0]}
    api.client.cookies.clear()

    assert answer.json()["scopes"] == ["read"]
    assert (await api.client.get("/api/recordings", headers=cookie)).status_code == 200
    assert (await api.client.get("/api/keys", headers=cookie)).json()["code"] == "scope_missing"
