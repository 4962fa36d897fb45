"""Signing in with an identity provider, over real HTTP to both: who comes in, and who does not."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
import pytest
from argon2 import PasswordHasher

from callspool.domain.ports.store import Store
from callspool.domain.session import User
from callspool.scheduler.connection import Functions
from tests.api.conftest import Api, SettableClock, running
from tests.fixtures.oidc import CLIENT, SECRET, OpenIdProvider, new_key, providing, unsigned

GRANTS = "@acme.example=tenant:acme, boss@firm.example=operator, @nowhere.example=tenant:nowhere"
HTML = {"accept": "text/html"}
PASSWORD = "correct horse battery"


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdProvider]:
    async with providing() as provider:
        provider.person |= {"email": "Anna@Acme.example"}
        yield provider


@pytest.fixture
async def api(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions, provider: OpenIdProvider
) -> AsyncIterator[Api]:
    given = {"oidc_issuer": provider.url, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
    given |= {"oidc_name": "Acme <SSO>", "oidc_grants": GRANTS}
    async with running(tmp_path, clock, store, functions, **given) as api:
        yield api


class Browser:
    """Keeps cookies as a browser does that comes over https."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.cookies: dict[str, str] = {}

    async def get(self, path: str, **headers: str) -> httpx.Response:
        self._api.client.cookies.clear()
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = await self._api.client.get(path, headers={**({"cookie": sent} if sent else {}), **headers})
        for line in answer.headers.get_list("set-cookie"):
            (name, value), fields = line.split(";")[0].split("=", 1), line.lower()
            assert name.startswith("__Host-")
            assert {"secure", "httponly", "path=/"} <= {one.strip() for one in fields.split(";")}
            self.cookies |= {name: value.strip('"')}
            if "max-age=0" in fields:
                del self.cookies[name]
        return answer

    async def begin(self) -> str:
        """Return the query with which the provider sends the browser back."""
        answer = await self.get("/api/session/oidc")
        assert answer.status_code == 303, answer.text
        async with httpx.AsyncClient(trust_env=False, verify=False) as elsewhere:
            page = await elsewhere.get(answer.headers["location"])
            back = await elsewhere.get(httpx.URL(answer.headers["location"]).join(page.text.split("'")[1]))
        where = urlsplit(back.headers["location"])
        assert (
            f"{where.scheme}://{where.netloc}{where.path}" == "https://calls.example/prefix/api/session/oidc/callback"
        )
        return where.query

    async def come_back(self, query: str, **headers: str) -> httpx.Response:
        return await self.get(f"/api/session/oidc/callback?{query}", **headers)

    async def sign_in(self) -> httpx.Response:
        return await self.come_back(await self.begin())

    @property
    def is_in(self) -> bool:
        return "__Host-callspool" in self.cookies


def assert_refused(answer: httpx.Response, browser: Browser, code: str = "identity_refused", status: int = 403) -> str:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert browser.cookies == {}  # no session, and nothing is left of the try
    return str(answer.json()["detail"])


async def test_who_the_provider_vouches_for_has_a_session_as_any_other(api: Api) -> None:
    assert (await api.client.get("/api/session/ways")).json() == {"identity_provider": "Acme <SSO>"}
    browser = Browser(api)
    answer = await browser.sign_in()

    assert (answer.status_code, answer.headers["location"]) == (303, "https://calls.example/prefix/#signed-in")
    assert list(browser.cookies) == ["__Host-callspool"]
    session = (await browser.get("/api/session")).json()
    assert (session["name"], session["tenant_id"], session["kind"]) == ("anna@acme.example", "acme", "session")
    first = dict(browser.cookies)
    await browser.sign_in()
    assert browser.cookies != first  # a new one each time, and the one before has ended
    old = {"cookie": f"__Host-callspool={first.popitem()[1]}"}
    assert (await api.client.get("/api/session", headers=old)).status_code == 401
    assert len((await browser.get("/api/session/all")).json()["sessions"]) == 1
    cookie = f"__Host-callspool={browser.cookies['__Host-callspool']}"
    assert (await api.client.delete("/api/session", headers={"cookie": cookie})).status_code == 403
    token = (await browser.get("/api/session")).json()["csrf"]
    out = await api.client.delete("/api/session", headers={"cookie": cookie, "x-csrf-token": token})
    assert out.status_code == 204
    assert (await browser.get("/api/session")).status_code == 401

    log = await api.services.store.audit_log(None, limit=10)
    seen = [(one.action, one.actor, one.target, one.tenant_id) for one in log if one.action != "key.add"]
    begun = ("session.begin", "user:anna@acme.example", "anna@acme.example", "acme")
    assert [one for one in seen if one[0].startswith(("session", "user"))] == [
        *(begun, begun, ("user.admit", "callspool", "anna@acme.example", "acme")),
    ]


async def test_a_claim_decides_what_one_may(api: Api, provider: OpenIdProvider) -> None:
    provider.person |= {"sub": "2", "email": "boss@firm.example"}
    browser = Browser(api)
    await browser.sign_in()
    assert (await browser.get("/api/session")).json()["tenant_id"] is None
    assert (await browser.get("/api/keys")).status_code == 200


async def test_groups_decide_in_the_order_that_was_set(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions, provider: OpenIdProvider
) -> None:
    given = {"oidc_issuer": provider.url, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
    given |= {"oidc_role_claim": "groups", "oidc_user_claim": "preferred_username"}
    given |= {"oidc_grants": "Admins=operator,acme staff=tenant:acme"}
    async with running(tmp_path, clock, store, functions, **given) as api:
        for groups, expected in (
            (["acme staff", "Admins"], None),
            (["acme staff"], "acme"),
            ("acme staff", "acme"),
            (["admins", "Acme Staff", 7, None], "refused"),
            (None, "refused"),
            ([], "refused"),
        ):
            provider.person = {"sub": "1", "preferred_username": "anna", "groups": groups}
            browser = Browser(api)
            answer = await browser.sign_in()
            if expected == "refused":
                assert "'anna' has no access here" in assert_refused(answer, browser)
            else:
                assert (await browser.get("/api/session")).json()["tenant_id"] == expected


@pytest.mark.parametrize(
    ("person", "why"),
    [
        ({"email": "eve@other.example"}, "no access"),
        ({"email": "eve@evilacme.example"}, "no access"),
        ({"email": "eve@acme.example.evil"}, "no access"),
        ({"email": "eve@sub.acme.example"}, "no access"),
        ({"email": "notboss@firm.example"}, "no access"),
        ({"email_verified": False}, "verified"),
        ({"email_verified": None}, "verified"),
        ({"email": None}, "who you are"),
        ({"email": "<b>@acme.example"}, "who you are"),
        ({"email": "eve@nowhere.example"}, "a tenant that is not here"),
    ],
)
async def test_who_has_no_right_here_is_told_so(
    api: Api, provider: OpenIdProvider, person: dict[str, Any], why: str
) -> None:
    provider.person |= person
    browser = Browser(api)
    assert why in assert_refused(await browser.sign_in(), browser)
    assert await api.services.store.users() == []


async def test_a_users_name_cannot_be_taken_by_another_person(api: Api, provider: OpenIdProvider) -> None:
    kept = PasswordHasher().hash(PASSWORD)
    await api.services.store.add_user(User("anna@acme.example", None, kept, api.clock.now()))  # an operator
    browser = Browser(api)
    assert_refused(await browser.sign_in(), browser, "conflict", 409)

    provider.person |= {"email": "ben@acme.example"}
    await Browser(api).sign_in()
    provider.person |= {"sub": "1002"}  # the address was given to somebody else
    browser = Browser(api)
    assert_refused(await browser.sign_in(), browser, "conflict", 409)


async def test_the_same_person_stays_the_same_by_any_name_and_role(api: Api, provider: OpenIdProvider) -> None:
    before = Browser(api)
    await before.sign_in()
    provider.person |= {"email": "boss@firm.example"}
    now = Browser(api)
    await now.sign_in()
    assert [(one.name, one.tenant_id) for one in await api.services.store.users()] == [("boss@firm.example", None)]
    assert (await before.get("/api/session")).status_code == 401  # who had the old name is nobody now
    assert (await now.get("/api/session")).status_code == 200


async def test_nobody_signs_in_by_a_password_that_is_not_there(api: Api) -> None:
    await Browser(api).sign_in()
    for password in ("", "nobody's password", f"oidc:{api.services.settings.oidc_issuer} 1001"):
        answer = await api.client.post("/api/session", json={"name": "anna@acme.example", "password": password})
        assert answer.status_code == 401


async def test_an_answer_fits_the_browser_that_asked_and_no_other(api: Api, clock: SettableClock) -> None:
    browser, other = Browser(api), Browser(api)
    query, others = await browser.begin(), await other.begin()
    stranger = Browser(api)
    assert "did not begin" in assert_refused(await stranger.come_back(query), stranger)
    assert "did not begin" in assert_refused(await other.come_back(query), other)
    fields = {name: values[0] for name, values in parse_qs(others).items()}
    for state in ("", "x", "\ud800".encode("utf-8", "surrogatepass"), fields["state"]):
        browser = Browser(api)
        await browser.begin()
        wrong = urlencode({**fields, "state": state})
        assert "did not begin" in assert_refused(await browser.come_back(wrong), browser)
    browser = Browser(api)
    query = await browser.begin()
    clock.ahead = timedelta(minutes=11)
    assert "too long" in assert_refused(await browser.come_back(query), browser)


async def test_no_answer_is_good_twice(api: Api) -> None:
    browser = Browser(api)
    query = await browser.begin()
    kept = dict(browser.cookies)
    assert (await browser.come_back(query)).status_code == 303
    again = Browser(api)
    assert_refused(await again.come_back(query), again)  # its cookie is gone
    again.cookies = kept
    assert "invalid_grant" in assert_refused(await again.come_back(query), again)  # and so is the code


async def test_a_code_is_of_no_use_in_another_sign_in(api: Api) -> None:
    """PKCE: a code that was stolen on its way back, put into a sign-in that the thief began."""
    stolen = parse_qs(await Browser(api).begin())["code"][0]
    thief = Browser(api)
    own = {name: values[0] for name, values in parse_qs(await thief.begin()).items()}
    assert "invalid_grant" in assert_refused(await thief.come_back(urlencode({**own, "code": stolen})), thief)


Change = Callable[[dict[str, Any]], object]
CLAIMS: dict[str, Change] = {
    "another nonce": lambda claims: claims.update(nonce="another"),
    "no nonce": lambda claims: claims.pop("nonce"),
    "another audience": lambda claims: claims.update(aud="another"),
    "no audience": lambda claims: claims.pop("aud"),
    "several audiences without azp": lambda claims: claims.update(aud=[CLIENT, "another"]),
    "another azp": lambda claims: claims.update(azp="another"),
    "another issuer": lambda claims: claims.update(iss="https://another.example"),
    "no issuer": lambda claims: claims.pop("iss"),
    "expired": lambda claims: claims.update(iat=claims["iat"] - 400, exp=claims["iat"] - 60),
    "no end": lambda claims: claims.pop("exp"),
    "made tomorrow": lambda claims: claims.update(iat=claims["iat"] + 86400, exp=claims["exp"] + 86400),
    "no subject": lambda claims: claims.pop("sub"),
}


async def test_a_token_for_anything_else_is_refused(api: Api, provider: OpenIdProvider) -> None:
    for name, change in CLAIMS.items():
        provider.change = change
        browser = Browser(api)
        assert "token" in assert_refused(await browser.sign_in(), browser), name
        api.clock.ahead += timedelta(minutes=5)  # tries are counted
    provider.change = lambda claims: claims.update(aud=[CLIENT, "another"], azp=CLIENT)
    assert (await Browser(api).sign_in()).status_code == 303


async def test_a_token_that_the_provider_did_not_sign_is_refused(api: Api, provider: OpenIdProvider) -> None:
    forged = new_key()
    forgers: dict[str, Callable[[dict[str, Any]], str]] = {
        "alg none": unsigned,
        "its public key as a secret": provider.hmac_by_public_key,
        "another key by the same name": lambda claims: jwt.encode(claims, forged, "RS256", headers={"kid": "first"}),
        "another algorithm than the key's": lambda claims: jwt.encode(
            claims, provider.key, "PS256", headers={"kid": "first"}
        ),
        "an unknown key": lambda claims: jwt.encode(claims, forged, "RS256", headers={"kid": "mine"}),
        "no token": lambda _: "no.token.at all",
    }
    for name, forge in forgers.items():
        provider.sign = forge
        browser = Browser(api)
        assert "token" in assert_refused(await browser.sign_in(), browser), name
        api.clock.ahead += timedelta(minutes=5)
    provider.sign = None
    assert (await Browser(api).sign_in()).status_code == 303


async def test_new_keys_are_found_and_made_up_ones_asked_for_seldom(api: Api, provider: OpenIdProvider) -> None:
    for _ in range(2):
        assert (await Browser(api).sign_in()).status_code == 303
    assert provider.asked.count("/.well-known/openid-configuration") == 1
    assert provider.asked.count("/keys") == 1  # remembered
    provider.rotate("second")
    assert (await Browser(api).sign_in()).status_code == 303
    provider.sign = lambda claims: jwt.encode(claims, provider.key, "RS256", headers={"kid": "third"})
    for _ in range(2):
        browser = Browser(api)
        assert_refused(await browser.sign_in(), browser)
    assert provider.asked.count("/keys") == 2


async def test_with_the_provider_away_one_signs_in_by_password(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions
) -> None:
    given = {"oidc_issuer": "http://127.0.0.1:9", "oidc_client_id": CLIENT}
    async with running(tmp_path, clock, store, functions, **given) as api:
        answer = await api.client.get("/api/session/oidc")
        assert (answer.status_code, answer.json()["code"]) == (503, "identity_unavailable")
        page = await api.client.get("/api/session/oidc", headers=HTML)
        assert (page.status_code, "does not answer" in page.text) == (503, True)
        await store.add_user(User("anna", None, PasswordHasher().hash(PASSWORD), clock.now()))
        signed_in = await api.client.post("/api/session", json={"name": "anna", "password": PASSWORD})
        assert signed_in.status_code == 200


async def test_what_the_provider_says_is_text(api: Api) -> None:
    hostile = "<script>alert(1)</script>"
    browser = Browser(api)
    fields = {name: values[0] for name, values in parse_qs(await browser.begin()).items()}
    told = {"state": fields["state"], "error": "access_denied", "error_description": hostile}
    kept = dict(browser.cookies)
    page = await browser.come_back(urlencode(told), **HTML)
    assert page.status_code == 403
    assert "access_denied: &lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert hostile not in page.text
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    browser.cookies = kept
    assert hostile in assert_refused(await browser.come_back(urlencode(told)), browser)
    # What comes without the browser's state is nobody's: its text is not shown at all.
    page = await Browser(api).come_back(urlencode({**told, "state": "x"}), **HTML)
    assert (page.status_code, "access_denied" in page.text) == (403, False)


async def test_an_answer_of_another_provider_is_refused(api: Api) -> None:
    browser = Browser(api)
    fields = {name: values[0] for name, values in parse_qs(await browser.begin()).items()}
    answer = await browser.come_back(urlencode({**fields, "iss": "https://another.example"}))
    assert "another identity provider" in assert_refused(answer, browser)


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://another.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://public.example/authorize"},
        {"token_endpoint": "http://public.example/token"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"padding": "x" * 600_000},
    ],
)
async def test_a_wrong_discovery_document_leads_nowhere(
    api: Api, provider: OpenIdProvider, document: dict[str, Any]
) -> None:
    provider.document = document
    answer = await api.client.get("/api/session/oidc")
    assert (answer.status_code, answer.json()["code"]) == (503, "identity_unavailable")
    assert "location" not in answer.headers


async def test_tries_are_counted(api: Api, provider: OpenIdProvider) -> None:
    provider.change = CLAIMS["expired"]
    statuses = [(await Browser(api).sign_in()).status_code for _ in range(7)]
    assert statuses == [403] * 5 + [429] * 2


async def test_without_a_provider_there_is_no_such_way(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions
) -> None:
    async with running(tmp_path, clock, store, functions) as api:
        assert (await api.client.get("/api/session/ways")).json() == {"identity_provider": None}
        for path in ("/api/session/oidc", "/api/session/oidc/callback?state=x&code=x"):
            assert (await api.client.get(path)).status_code in (403, 404)
