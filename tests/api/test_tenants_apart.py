"""Nobody learns anything of another tenant: every route, asked by everybody."""

import re
from dataclasses import dataclass

import pytest

from callspool.api.app import shell
from callspool.domain.operation import FailedFilter
from callspool.domain.recording import Recording
from callspool.domain.webhook import Subject, new_endpoint
from tests.api.conftest import Api, new_sid

WHO = ("operator", "acme", "bravo", None)


@dataclass(frozen=True)
class Case:
    method: str
    path: str
    """``{id}`` is replaced by the id of a recording of acme."""
    own: int
    """What acme and the operator get. ``FOR_OPERATOR``: what is refused to all others."""
    foreign: int = 404
    nobody: int = 401
    acme: int | None = None
    """Where it is not the operator's."""
    json: object = None


FOR_OPERATOR = {"foreign": 403, "acme": 403}

CASES = [
    Case("GET", "/api/recordings", 200, foreign=200),
    Case("GET", "/api/recordings?tenant=acme", 200),
    Case("GET", "/api/recordings/{id}", 200),
    Case("GET", "/api/recordings/{id}/why", 200),
    Case("GET", "/api/recordings/{id}/waveform", 503),  # the canary is no audio
    Case("POST", "/api/recordings/{id}/fetch", 200),
    Case("POST", "/api/recordings/{id}/cancel", 409),
    Case("POST", "/api/recordings/{id}/retry", 409),
    Case("POST", "/api/recordings/{id}/playback", 200),
    Case("GET", "/api/recordings/{id}/audio", 200),
    Case("HEAD", "/api/recordings/{id}/audio", 200),
    Case("GET", "/api/recordings?q={id}", 200, foreign=200),
    Case("GET", "/api/tenants", 200, foreign=200),
    Case("POST", "/api/failures/retry", 202, json={}, foreign=202),
    Case("POST", "/api/failures/retry", 202, json={"tenant_id": "acme"}),
    Case("POST", "/api/failures/retry", 200, json={"dry_run": True}, foreign=200),
    Case("GET", "/api/operations/{operation}", 200),
    Case("PATCH", "/api/tenants/acme", 200, json={"slots": 2}, **FOR_OPERATOR),
    Case("GET", "/api/accounts", 200, **FOR_OPERATOR),
    Case("PATCH", "/api/accounts/main", 200, json={"limit": 2}, **FOR_OPERATOR),
    Case("GET", "/api/keys", 200, **FOR_OPERATOR),
    Case("GET", "/api/holds", 200, **FOR_OPERATOR),
    Case("POST", "/api/holds", 201, json={"tenant_id": "acme", "why": "canary"}, **FOR_OPERATOR),
    Case("DELETE", "/api/holds/hold_of_nobody", 404, **FOR_OPERATOR),
    Case("GET", "/api/export/recordings.csv", 200, foreign=200),
    Case("GET", "/api/export/recordings.csv?tenant=acme", 200),
    Case("GET", "/api/export/audit.csv", 200, **FOR_OPERATOR),
    Case("GET", "/api/audit", 200, **FOR_OPERATOR),
    Case("POST", "/api/keys", 201, json={"name": "another", "tenant_id": "acme"}, **FOR_OPERATOR),
    Case("DELETE", "/api/keys/key_of_nobody", 404, **FOR_OPERATOR),
    Case("GET", "/api/overview", 200, foreign=200),
    Case("GET", "/api/throughput", 200, foreign=200),
    Case("GET", "/api/throughput?tenant=acme", 200),
    Case("GET", "/api/failures", 200, foreign=200),
    Case("GET", "/api/failures?tenant=acme", 200),
    Case("GET", "/api/session", 200, foreign=200),
    Case("GET", "/api/webhook-endpoints", 200, foreign=200),
    Case("POST", "/api/webhook-endpoints", 201, json={"url": "https://a.example/", "tenant_id": "acme"}),
    Case("GET", "/api/webhook-endpoints/{endpoint}/deliveries", 200),
    Case("DELETE", "/api/webhook-endpoints/{endpoint}", 204),
]
ELSEWHERE = {
    ("POST", "/api/session"),
    ("DELETE", "/api/session"),
    ("GET", "/api/session/all"),
    ("DELETE", "/api/session/all"),
    ("POST", "/api/session/password"),  # test_session.py
    ("GET", "/api/session/ways"),  # test_oidc.py
    ("GET", "/api/events"),  # test_events.py
    ("DELETE", "/api/recordings/{id}"),  # test_purge.py
    ("GET", "/api/backfills"),
    ("POST", "/api/backfills"),
    ("GET", "/api/backfills/{id}"),
    ("DELETE", "/api/backfills/{id}"),
    ("GET", "/api/completeness"),  # test_backfills.py
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),  # test_operations.py
    ("POST", "/webhooks/{provider}/{account}"),
    ("POST", "/webhooks/{provider}/{account}/{tenant}"),  # test_webhooks.py
}
CANARY = "canary"


@pytest.fixture
async def acme_s(api: Api) -> Recording:
    return await api.ready(data=CANARY.encode() * 100)


@pytest.mark.rule("I9", "F20")
@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method} {case.path}")
async def test_each_route_for_each_principal(api: Api, acme_s: Recording, case: Case, who: str | None) -> None:
    operation = await api.services.store.begin_retry(
        FailedFilter(tenant_id=acme_s.tenant_id), owner=acme_s.tenant_id, actor="key:acme"
    )
    endpoint = new_endpoint(
        acme_s.tenant_id, f"https://{CANARY}.example/", list(Subject), now=acme_s.created_at, randomness=bytes(40)
    )
    await api.services.store.add_endpoint(endpoint)
    path = case.path.replace("{id}", acme_s.id).replace("{operation}", operation.id).replace("{endpoint}", endpoint.id)

    answer = await api.client.request(case.method, path, headers=api.as_(who), json=case.json)

    acme = case.own if case.acme is None else case.acme
    expected = {None: case.nobody, "bravo": case.foreign, "acme": acme}.get(who, case.own)
    assert answer.status_code == expected, answer.text
    if who in (None, "bravo"):
        for secret in (acme_s.id, acme_s.provider_recording_id, acme_s.kept.sha256, CANARY, "acme"):
            assert secret not in answer.text.replace(path, "")
            assert secret not in str(answer.headers)


@pytest.mark.rule("I9")
async def test_who_signed_in_for_another_tenant_gets_what_its_key_gets(api: Api, acme_s: Recording) -> None:
    signed_in = await api.client.post("/api/session", json={"key": api.keys["bravo"]})
    session = {"cookie": signed_in.headers["set-cookie"].split(";")[0], "x-csrf-token": signed_in.json()["csrf"]}
    api.client.cookies.clear()
    by_key = api.as_("bravo")

    for case in CASES:
        path = case.path.replace("{id}", acme_s.id)
        one, other = [
            await api.client.request(case.method, path, headers=headers, json=case.json)
            for headers in (session, by_key)
        ]
        assert one.status_code == other.status_code, f"{case.method} {path}"
        for secret in (acme_s.id, acme_s.provider_recording_id, acme_s.kept.sha256, CANARY, "acme"):
            assert secret not in one.text.replace(path, "")
            assert secret not in str(one.headers)


@pytest.mark.rule("I9")
async def test_a_link_opens_its_recording_s_sound_and_nothing_else(api: Api, acme_s: Recording) -> None:
    link = (await api.post(f"/api/recordings/{acme_s.id}/playback")).json()["url"]
    token, others = link.partition("?token=")[2], await api.ready("bravo")
    allowed = {("GET", "audio"), ("HEAD", "audio"), ("GET", "waveform")}

    for case in CASES:
        for recording in (acme_s, others):
            path = case.path.replace("{id}", recording.id)
            asked = f"{path}{'&' if '?' in path else '?'}token={token}"
            answer = await api.client.request(case.method, asked, json=case.json)
            if (case.method, case.path.rpartition("/")[2]) not in allowed:
                assert answer.status_code == 401, f"{case.method} {path}"
            elif recording is others:
                assert answer.status_code == 403, f"{case.method} {path}"
            else:
                assert answer.status_code == case.own, f"{case.method} {path}"


@pytest.mark.rule("I9")
async def test_foreign_and_unknown_look_the_same(api: Api, acme_s: Recording) -> None:
    unknown = "rec_" + "0" * 32
    for case in CASES:
        if "{id}" in case.path:
            foreign, missing = [
                await api.client.request(case.method, case.path.replace("{id}", id_), headers=api.as_("bravo"))
                for id_ in (acme_s.id, unknown)
            ]
            assert (foreign.status_code, foreign.content) == (missing.status_code, missing.content)
            assert sorted(foreign.headers) == sorted(missing.headers)


async def test_no_route_is_forgotten() -> None:
    declared = {
        (method.upper(), path) for path, operations in shell().openapi()["paths"].items() for method in operations
    }

    def asks(case: Case, method: str, path: str) -> bool:
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
        return case.method == method and re.fullmatch(pattern, case.path.split("?")[0]) is not None

    asked = {(method, path) for method, path in declared if any(asks(case, method, path) for case in CASES)}
    assert asked | ELSEWHERE == declared
    assert [case for case in CASES if not any(asks(case, *route) for route in declared)] == []


@pytest.mark.rule("F20", "I9")
async def test_one_provider_recording_of_two_accounts_is_two(api: Api) -> None:
    sid = new_sid("RE")
    assert (await api.webhook(RecordingSid=sid)).status_code == 204
    assert (await api.webhook("/webhooks/twilio/second/bravo", RecordingSid=sid)).status_code == 204

    recordings = await api.recordings()
    assert {(recording.account_id, recording.tenant_id) for recording in recordings} == {
        ("main", "acme"),
        ("second", "bravo"),
    }


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer cs_",
        "Basic Y3M6eA==",
        "Bearer cs_0000000000000000_" + "A" * 43,
        "Bearer é",
        "Bearer " + "x" * 9000,
    ],
)
async def test_other_keys_are_no_keys(api: Api, header: str) -> None:
    answer = await api.client.get("/api/recordings", headers={"authorization": header.encode()})

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_revoked_key_opens_nothing(api: Api) -> None:
    assert (await api.get("/api/recordings", "bravo")).status_code == 200
    key_id = "key_" + api.keys["bravo"].split("_")[1]

    await api.services.store.revoke_key(key_id)

    assert (await api.get("/api/recordings", "bravo")).status_code == 401
