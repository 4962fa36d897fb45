"""Signing in: what a browser gets, what it may do with it, and what guessing leads to."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from callspool.domain.ids import TenantId
from callspool.domain.session import User
from tests.api.conftest import Api, running

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def kept() -> str:
    """Made with little work, so that each check of it is little work; acceptance/test_canaries has the real amount."""
    return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)


@pytest.fixture
async def people(api: Api, kept: str) -> Api:
    """With anna, who may see acme, and the operator boss."""
    for name, tenant in (("anna", TenantId("acme")), ("boss@example.com", None)):
        await api.services.store.add_user(User(name, tenant, kept, api.services.clock.now()))
    return api


async def sign_in(api: Api, name: str = "anna", password: str = PASSWORD, **headers: str) -> httpx.Response:
    return await api.client.post("/api/session", json={"name": name, "password": password}, headers=headers)


def cookie(answer: httpx.Response) -> dict[str, str]:
    """What a browser sends from then on."""
    return {"cookie": answer.headers["set-cookie"].split(";")[0]}


async def ask(api: Api, method: str, path: str, headers: dict[str, str], **given: Any) -> int:
    api.client.cookies.clear()
    return (await api.client.request(method, path, headers=headers, **given)).status_code


async def test_one_sees_ones_sessions_and_ends_all_of_them(people: Api) -> None:
    first = cookie(await sign_in(people))
    people.client.cookies.clear()
    answer = await sign_in(people)
    second = {**cookie(answer), "x-csrf-token": answer.json()["csrf"]}
    await sign_in(people, "boss@example.com")
    people.client.cookies.clear()

    listed = (await people.client.get("/api/session/all", headers=second)).json()["sessions"]
    assert [one["current"] for one in listed] == [False, True]
    assert "secret" not in str(listed)
    assert await ask(people, "DELETE", "/api/session/all", cookie(answer)) == 403  # without the token of the page
    assert await ask(people, "DELETE", "/api/session/all", second) == 204

    assert [await ask(people, "GET", "/api/session", one) for one in (first, second)] == [401, 401]
    assert len(await people.services.store.sessions_of("boss@example.com")) == 1
    (entry,) = await people.services.store.audit_log(None, limit=1)
    assert (entry.actor, entry.action, entry.target, entry.detail) == (
        *("user:anna", "session.end_all", "anna"),
        '{"ended": 2}',
    )


async def test_another_password_ends_all_other_sessions(people: Api) -> None:
    other = cookie(await sign_in(people))
    people.client.cookies.clear()
    answer = await sign_in(people)
    mine = {**cookie(answer), "x-csrf-token": answer.json()["csrf"]}

    async def change(old: str, new: str) -> int:
        return await ask(people, "POST", "/api/session/password", mine, json={"old": old, "new": new})

    assert await change("a wrong password", "another long password") == 401
    assert await change(PASSWORD, "short") == 422
    assert await ask(people, "GET", "/api/session", other) == 200
    assert await change(PASSWORD, "another long password") == 204

    assert [await ask(people, "GET", "/api/session", one) for one in (mine, other)] == [200, 401]
    assert (await sign_in(people, password=PASSWORD)).status_code == 401
    assert (await sign_in(people, password="another long password")).status_code == 200
    # Who took a session over cannot guess the password with it.
    assert [await change("a guess", "another long one") for _ in range(6)][-1] == 429


async def test_a_key_has_no_sessions_and_no_password(people: Api) -> None:
    for method, path, given in (
        ("GET", "/api/session/all", None),
        ("DELETE", "/api/session/all", None),
        ("POST", "/api/session/password", {"old": PASSWORD, "new": PASSWORD}),
    ):
        assert await ask(people, method, path, people.as_("operator"), json=given) == 409
        assert await ask(people, method, path, {}, json=given) == 401


async def test_who_signed_in_is_known_by_the_cookie(people: Api) -> None:
    await people.record("bravo")
    answer = await sign_in(people)
    people.client.cookies.clear()

    assert answer.status_code == 200
    said = answer.json()
    assert (said["kind"], said["name"], said["tenant_id"]) == ("session", "anna", "acme")
    attributes = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Secure", "Max-Age=43200"} == set(attributes[1:])
    assert attributes[0].startswith("__Host-callspool=")
    asked = await people.client.get("/api/session", headers=cookie(answer))
    assert asked.json() == said
    listed = await people.client.get("/api/recordings", headers=cookie(answer))
    assert (listed.status_code, listed.json()["recordings"]) == (200, [])
    assert await ask(people, "GET", "/api/keys", cookie(answer)) == 403
    assert await ask(people, "GET", "/api/keys", cookie(await sign_in(people, "boss@example.com"))) == 200


async def test_a_change_needs_the_token_of_its_session(people: Api) -> None:
    failed = await people.failed()
    answer = await sign_in(people)
    other = (await sign_in(people, "boss@example.com")).json()["csrf"]
    path = f"/api/recordings/{failed.id}/retry"

    for wrong in ({}, {"x-csrf-token": ""}, {"x-csrf-token": other}):
        assert await ask(people, "POST", path, {**cookie(answer), **wrong}) == 403
    right = {**cookie(answer), "x-csrf-token": answer.json()["csrf"]}
    assert await ask(people, "POST", path, {**right, "sec-fetch-site": "cross-site"}) == 401
    assert await ask(people, "POST", path, {**right, "sec-fetch-site": "same-origin"}) == 202
    assert (await people.services.store.history(None, failed.id))[-1].actor == "user:anna"


async def test_a_foreign_site_cannot_ask_or_sign_in_with_a_browsers_cookie(people: Api) -> None:
    answer = await sign_in(people)

    assert await ask(people, "GET", "/api/recordings", {**cookie(answer), "sec-fetch-site": "cross-site"}) == 401
    assert (await sign_in(people, **{"sec-fetch-site": "cross-site"})).status_code == 403


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        ("https://calls.example", True),
        ("http://calls.example", False),
        ("https://calls.example.evil.example", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
async def test_where_a_browser_does_not_say_from_which_site_the_origin_tells(
    people: Api, origin: str, is_own: bool
) -> None:
    failed = await people.failed()
    answer = await sign_in(people)
    change = {**cookie(answer), "x-csrf-token": answer.json()["csrf"], "origin": origin}

    assert await ask(people, "GET", "/api/recordings", {**cookie(answer), "origin": origin}) == (200 if is_own else 401)
    assert await ask(people, "POST", f"/api/recordings/{failed.id}/retry", change) == (202 if is_own else 401)
    assert (await sign_in(people, origin=origin)).status_code == (200 if is_own else 403)


async def test_a_page_under_another_name_of_this_server_is_its_own(people: Api) -> None:
    here = people.url.removeprefix("http://")

    assert (await sign_in(people, origin=f"http://{here}")).status_code == 200
    assert (await sign_in(people, origin=f"http://{here}1")).status_code == 403
    assert (await sign_in(people, origin=f"http://{here}", **{"sec-fetch-site": "cross-site"})).status_code == 403


async def test_signing_out_ends_the_session(people: Api) -> None:
    answer = await sign_in(people)
    headers = {**cookie(answer), "x-csrf-token": answer.json()["csrf"]}
    people.client.cookies.clear()

    assert await ask(people, "DELETE", "/api/session", cookie(answer)) == 403
    out = await people.client.delete("/api/session", headers=headers)

    assert (out.status_code, "Max-Age=0" in out.headers["set-cookie"]) == (204, True)
    assert await ask(people, "GET", "/api/session", cookie(answer)) == 401


async def test_a_session_ends_with_its_time_and_a_new_one_ends_the_old(people: Api) -> None:
    first = await sign_in(people)
    second = await sign_in(people, **cookie(first))

    assert cookie(first) != cookie(second)
    assert await ask(people, "GET", "/api/session", cookie(first)) == 401
    assert await ask(people, "GET", "/api/session", cookie(second)) == 200
    people.clock.ahead = timedelta(hours=12)
    assert await ask(people, "GET", "/api/session", cookie(second)) == 401


async def test_a_key_signs_in_and_its_end_ends_the_session(people: Api) -> None:
    answer = await people.client.post("/api/session", json={"key": people.keys["bravo"]})

    assert (answer.json()["name"], answer.json()["tenant_id"]) == ("bravo", "bravo")
    assert await ask(people, "GET", "/api/recordings", cookie(answer)) == 200
    await people.services.store.revoke_key("key_" + people.keys["bravo"].split("_")[1])
    assert await ask(people, "GET", "/api/recordings", cookie(answer)) == 401
    again = await people.client.post("/api/session", json={"key": people.keys["bravo"]})
    assert (again.status_code, again.json()["code"]) == (401, "sign_in_refused")


async def test_a_wrong_name_and_a_wrong_password_look_the_same_and_are_slowed(people: Api) -> None:
    nobody = await sign_in(people, "nobody")
    wrong = await sign_in(people, password="wrong" * 3)

    assert (wrong.status_code, wrong.json()["code"], wrong.content) == (401, "sign_in_refused", nobody.content)
    assert "set-cookie" not in wrong.headers
    for _ in range(4):
        assert (await sign_in(people, password="wrong" * 3)).status_code == 401
    slowed = await sign_in(people)  # even with the right one
    assert (slowed.status_code, slowed.json()["code"]) == (429, "too_many_tries")
    assert 0 < int(slowed.headers["retry-after"]) <= 60
    people.clock.ahead = timedelta(seconds=61)
    assert (await sign_in(people)).status_code == 200


@pytest.mark.parametrize("wish", [{}, {"name": "anna"}, {"name": "a", "password": "p", "key": "k"}, {"password": "p"}])
async def test_half_a_sign_in_is_a_problem_that_repeats_no_password(api: Api, wish: dict[str, str]) -> None:
    answer = await api.client.post("/api/session", json=wish)

    assert answer.status_code == 422
    assert answer.json()["detail"].endswith("give name and password, or a key")


async def test_over_plain_http_the_cookie_is_taken_too(
    tmp_path: Any, clock: Any, store: Any, functions: Any, kept: str
) -> None:
    async with running(tmp_path, clock, store, functions, public_url="http://127.0.0.1:8400") as api:
        await store.add_user(User("anna", None, kept, api.services.clock.now()))
        answer = await sign_in(api)

        assert answer.headers["set-cookie"].startswith("callspool=")
        assert "Secure" not in answer.headers["set-cookie"]
        assert await ask(api, "GET", "/api/session", cookie(answer)) == 200
