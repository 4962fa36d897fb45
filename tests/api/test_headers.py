"""What keeps browsers from being fooled is on every answer: each route, whoever asks, whatever goes wrong."""

import dataclasses
from typing import Any, NoReturn

import httpx
import pytest

from callspool.api.app import create_app
from callspool.api.routes.web import PAGES
from tests.api.conftest import Api
from tests.api.test_tenants_apart import CASES, WHO

NO_PAGE = "default-src 'none'"
PLAIN = [
    *(path.replace("{id}", "rec_1") for path in PAGES),
    *("/player.js", "/assets/app.js", "/assets/../secret", "/nothing", "/api/nothing", "/healthz", "/readyz"),
    *("/metrics", "/problems/not-found", "/api/openapi.json", "/webhooks/twilio/main", "/api/session"),
]


def assert_safe(answer: httpx.Response) -> None:
    policy = answer.headers["content-security-policy"]
    said = f"{answer.request.method} {answer.request.url.path} {answer.status_code}: {policy}"
    assert NO_PAGE in policy, said
    assert "sandbox" in policy or "frame-ancestors 'none'" in policy, said
    assert "'unsafe" not in policy, said
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "cache-control" in answer.headers


async def test_on_every_route_for_everybody(api: Api) -> None:
    recording = await api.ready()
    seen = set()
    for who in WHO:
        for case in CASES:
            path = case.path.replace("{id}", recording.id)
            answer = await api.client.request(case.method, path, headers=api.as_(who), json=case.json)
            assert_safe(answer)
            seen.add(answer.status_code)
    assert {200, 201, 202, 401, 403, 404, 409} <= seen


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS", "DELETE"])
async def test_on_pages_files_and_what_is_not_there(api: Api, method: str) -> None:
    for path in PLAIN:
        assert_safe(await api.client.request(method, path))


async def test_on_the_answers_to_ranges_and_to_links(api: Api) -> None:
    recording = await api.ready()
    link = (
        (await api.post(f"/api/recordings/{recording.id}/playback"))
        .json()["url"]
        .removeprefix(api.services.settings.public_url)
    )
    seen = {}
    for _ in range(2):  # the second time by the quick way
        for headers in ({}, {"range": "bytes=0-1"}, {"range": "bytes=99999999-"}, {"range": "bytes=0-1,5-6"}):
            answer = await api.client.get(link, headers=headers)
            assert_safe(answer)
            seen[answer.status_code] = answer
    answer = await api.client.get(link, headers={"if-none-match": seen[200].headers["etag"]})
    assert_safe(answer)
    assert_safe(await api.client.get(link + "x"))
    assert answer.status_code == 304
    assert {200, 206, 416} <= set(seen)


class Broken:
    """A part with a mistake in it: no error that anybody foresaw."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(f"canary in {name}")


@pytest.mark.parametrize("part", ["store", "clock"])
async def test_on_a_mistake_of_our_own_which_tells_nothing(api: Api, part: str) -> None:
    replaced: dict[str, Any] = {part: Broken()}
    app = create_app(dataclasses.replace(api.services, **replaced))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    statuses = set()
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        for case in CASES:
            answer = await client.request(case.method, case.path, headers=api.as_("operator"), json=case.json)
            assert_safe(answer)
            assert "canary" not in answer.text
            statuses.add(answer.status_code)
    assert 500 in statuses
