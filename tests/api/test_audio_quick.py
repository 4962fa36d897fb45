"""The short way to a range of a recording that is being played: the same answers, and nothing for strangers."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from callspool.api.recent import MEMORY, Recent
from callspool.domain.ids import TenantId
from callspool.domain.recording import Recording
from callspool.playback.tokens import Grant, Links
from tests.api.conftest import AUDIO, Api, sha

REQUESTS: list[tuple[str, dict[str, str]]] = [
    ("GET", {}),
    ("HEAD", {}),
    ("HEAD", {"range": "bytes=0-1"}),
    ("GET", {"range": "bytes=0-1"}),
    ("GET", {"range": "bytes=5-"}),
    ("GET", {"range": "bytes=-5"}),
    ("GET", {"range": "bytes=0-0,-1"}),
    ("GET", {"range": f"bytes={len(AUDIO)}-"}),
    ("GET", {"range": "bytes=9-1"}),
    ("GET", {"range": "bytes=0-1", "if-range": f'"{sha(AUDIO)}"'}),
    ("GET", {"range": "bytes=0-1", "if-range": '"another"'}),
    ("GET", {"range": "bytes=0-1", "if-none-match": f'"{sha(AUDIO)}"'}),
    ("GET", {"if-none-match": "*"}),
    ("GET", {"if-match": '"another"'}),
    ("POST", {}),
]
OWN = ("date", "access-control-allow-origin", "access-control-expose-headers", "vary")


async def remembered(api: Api, tenant: str = "acme") -> Recording:
    """A recording that was played a moment ago."""
    recording = await api.ready(tenant)
    assert (await api.get(f"/api/recordings/{recording.id}/audio", who=tenant)).status_code == 200
    return recording


def told(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """What both ways must say alike; the boundary of parts is drawn anew each time."""
    headers = {name: value for name, value in answer.headers.items() if name not in OWN}
    boundary = headers.get("content-type", "").partition("boundary=")[2]
    if not boundary:
        return answer.status_code, headers, answer.content
    headers["content-type"] = headers["content-type"].replace(boundary, "-")
    return answer.status_code, headers, answer.content.replace(boundary.encode(), b"-")


@pytest.mark.parametrize("by_link", [True, False])
async def test_both_ways_say_the_same(api: Api, by_link: bool) -> None:
    recording = await remembered(api)
    path = f"/api/recordings/{recording.id}/audio"
    headers = api.as_("acme")
    if by_link:
        path, headers = (await api.post(f"/api/recordings/{recording.id}/playback")).json()["url"], {}
    for method, asked in REQUESTS:
        short = await api.client.request(method, path, headers={**headers, **asked})
        # A foreign page's request goes the long way.
        long = await api.client.request(method, path, headers={**headers, **asked, "origin": "https://crm.example"})
        assert told(short) == told(long), (method, asked)


@pytest.mark.rule("I9")
async def test_what_one_may_hear_another_may_not(api: Api) -> None:
    mine, foreign = await remembered(api), await remembered(api, "bravo")
    path = f"/api/recordings/{foreign.id}/audio"
    link = (await api.post(f"/api/recordings/{mine.id}/playback")).json()["url"]

    assert (await api.get(path, who="acme")).status_code == 404
    assert (await api.get(path, who=None)).status_code == 401
    assert (await api.get(path, who=None, headers={"authorization": "Bearer cs_" + "0" * 64})).status_code == 401
    assert (await api.client.get(link.replace(mine.id, foreign.id))).status_code == 403
    assert (await api.client.get(link.replace(".acme.", ".bravo."))).status_code == 403
    misdirected = Grant(TenantId("acme"), foreign.id, foreign.attempt, api.clock.now() + timedelta(minutes=1))
    token = Links(api.services.secret_key).sign(misdirected)
    assert (await api.client.get(path, params={"token": token})).status_code == 404
    assert (await api.get(path, who="operator")).status_code == 200
    assert (await api.client.get(link)).content == AUDIO


async def test_a_revoked_key_hears_nothing_a_moment_later(api: Api) -> None:
    recording = await remembered(api)
    path = f"/api/recordings/{recording.id}/audio"
    (key,) = [key for key in await api.services.store.keys() if key.name == "acme"]
    await api.services.store.revoke_key(key.id)

    async with asyncio.timeout(MEMORY.total_seconds() + 5):
        while (await api.get(path)).status_code != 401:
            await asyncio.sleep(0.05)


@pytest.mark.rule("I3")
async def test_a_file_that_is_gone_is_missed_at_once(api: Api) -> None:
    recording = await remembered(api)
    assert recording.kept is not None
    await api.services.vault.delete(recording.kept.vault_key)

    answer = await api.get(f"/api/recordings/{recording.id}/audio")

    assert (answer.status_code, answer.json()["code"]) == (503, "vault_unavailable")


def test_what_is_remembered_is_forgotten_after_a_second_and_bounded() -> None:
    now = 0.0
    recent: Recent[int, str] = Recent(lambda: now)
    recent.put(1, "one")
    assert recent.get(1) == "one"
    now = MEMORY / timedelta(seconds=1)
    assert recent.get(1) is None
    for number in range(100_000):
        recent.put(number, "x")
    assert len(recent._values) < 5000
    assert recent.get(99_999) == "x"
