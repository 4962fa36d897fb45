"""Who listened, over real HTTP: each listening is in the audit log, with what was really sent, and so are refusals."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callspool.api import listening, tries
from callspool.domain.audit import AuditEntry
from callspool.domain.errors import StoreUnavailable
from callspool.domain.ports.store import Store
from callspool.playback.tokens import Grant, Links
from callspool.scheduler.connection import Functions
from tests.api.conftest import AUDIO, Api, SettableClock, running, until
from tests.api.test_audio_straight import Line
from tests.fixtures import made

SIZE = len(AUDIO)
QUIET = timedelta(seconds=0.2)
NEVER = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _soon_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for nothing for a moment has stopped, and what is over is looked for as often."""
    monkeypatch.setattr("callspool.api.listening.QUIET", QUIET)
    monkeypatch.setattr("callspool.api.trail._LOOK", QUIET)


async def entries(store: Store, action: str) -> list[AuditEntry]:
    """Those of one kind, oldest first."""
    log = await store.audit_log(None, limit=1000)
    return [entry for entry in reversed(log) if entry.action == f"recording.{action}"]


async def told(api: Api, count: int = 1, action: str = "heard") -> list[tuple[AuditEntry, dict[str, Any]]]:
    """So many entries, once they are there, with their details."""

    async def are_there() -> bool:
        return len(await entries(api.services.store, action)) >= count

    await until(are_there)
    found = await entries(api.services.store, action)
    assert len(found) == count
    return [(entry, json.loads(entry.detail)) for entry in found]


def actor(api: Api, who: str) -> str:
    return "key:key_" + api.keys[who].split("_")[1]


async def link(api: Api, recording_id: str, who: str = "acme") -> str:
    url: str = (await api.post(f"/api/recordings/{recording_id}/playback", who)).json()["url"]
    return url


@asynccontextmanager
async def line_to(api: Api) -> AsyncIterator[Line]:
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Line(reader, writer)
    finally:
        writer.transport.abort()


async def test_a_listening_by_key_is_written_when_it_begins_and_when_it_is_over(api: Api) -> None:
    recording = await api.ready()
    for wanted in ("bytes=0-1", "bytes=2-999", "bytes=5000-5999", "bytes=500-1499"):
        answer = await api.get(f"/api/recordings/{recording.id}/audio", headers={"range": wanted})
        assert answer.status_code == 206

    ((begun, said),) = await told(api, action="listen")
    ((heard, detail),) = await told(api)

    for entry in (begun, heard):
        assert (entry.actor, entry.address) == (actor(api, "acme"), "127.0.0.1")
        assert (entry.target, entry.tenant_id) == (recording.id, "acme")
    assert said == {"listening": detail["listening"], "attempt": 1, "how": "audio", "by": "key"}
    assert {name: detail[name] for name in ("ranges", "bytes", "size", "requests", "result")} == {
        "ranges": "0-1499,5000-5999",
        "bytes": 3000,
        "size": SIZE,
        "requests": 4,
        "result": "partial",
    }
    assert said.items() <= detail.items()
    assert (await api.services.store.audit_verify()).broken is None


async def test_a_listening_by_link_is_told_of_as_the_one_s_who_asked_for_it(api: Api) -> None:
    recording = await api.ready()
    for who in ("acme", "operator"):
        assert (await api.get(await link(api, recording.id, who), None)).content == AUDIO

    found = await told(api, 2)

    assert sorted((entry.actor, detail["by"], detail["result"]) for entry, detail in found) == sorted(
        (actor(api, who), "link", "complete") for who in ("acme", "operator")
    )
    assert {detail["ranges"] for _, detail in found} == {f"0-{SIZE - 1}"}


async def test_who_signed_in_is_told_by_name(api: Api) -> None:
    recording = await api.ready()
    signed_in = await api.client.post("/api/session", json={"key": api.keys["acme"]})
    cookie = {"cookie": signed_in.headers["set-cookie"].split(";")[0]}
    api.client.cookies.clear()
    assert (await api.client.get(f"/api/recordings/{recording.id}/audio", headers=cookie)).content == AUDIO

    ((heard, detail),) = await told(api)

    assert (heard.actor, detail["by"]) == (actor(api, "acme"), "session")


async def test_ranges_that_go_straight_to_the_socket_are_counted(api: Api) -> None:
    recording = await api.ready()
    path = await link(api, recording.id)
    asked = 0
    async with line_to(api) as line:
        for start in range(0, SIZE, 65_536):
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\nRange: bytes={start}-{start + 65_535}\r\n\r\n"
            assert (await line.ask(request.encode()))[2] == AUDIO[start : start + 65_536]
            asked += 1

    ((_, detail),) = await told(api)

    assert (detail["requests"], detail["bytes"], detail["result"]) == (asked, SIZE, "complete")


async def test_who_stops_in_the_middle_has_not_heard_the_end(api: Api) -> None:
    data = AUDIO * 64  # far more than the sockets hold
    recording = await api.ready(data=data)
    path = await link(api, recording.id)
    async with line_to(api) as line:
        line.writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await line.reader.readexactly(2 * SIZE)

    ((_, detail),) = await told(api)

    assert SIZE < detail["bytes"] < len(data)
    assert detail["ranges"] == f"0-{detail['bytes'] - 1}"
    assert detail["result"] == "partial"


async def test_how_it_was_heard_is_told(patient_api: Api) -> None:
    api, recording = patient_api, await patient_api.ready(data=made.wav(1.0))
    path = f"/api/recordings/{recording.id}/audio"
    sizes = {}
    for how, query in {"audio": "", "download": "?download=1", "opus": "?rendition=opus"}.items():
        sizes[how] = len((await api.get(path + query)).content)

    found = await told(api, 3)

    assert {detail["how"]: detail["size"] for _, detail in found} == sizes
    assert {detail["result"] for _, detail in found} == {"complete"}


async def test_what_was_not_sent_is_told_as_that(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect to the object storage, what a browser had already; a HEAD and what is wrong are no listening."""

    async def presign(key: str, lifetime: timedelta) -> str:
        return "https://storage.example/file"

    async with running(tmp_path, clock, store, functions, vault_redirect=True) as api:
        recording = await api.ready()
        path = f"/api/recordings/{recording.id}/audio"
        etag = (await api.client.head(path, headers=api.as_("acme"))).headers["etag"]
        assert (await api.get(path, "operator", headers={"range": f"bytes={SIZE}-"})).status_code == 416
        assert (await api.get(path, headers={"if-none-match": etag})).status_code == 304
        monkeypatch.setattr(api.services.vault, "presign", presign)
        assert (await api.get(path, "operator")).status_code == 307
        found = await told(api, 2)

    assert {entry.actor: detail["result"] for entry, detail in found} == {
        actor(api, "acme"): "nothing",
        actor(api, "operator"): "redirected",
    }
    assert {(detail["bytes"], detail["ranges"], detail["requests"]) for _, detail in found} == {(0, "", 1)}


async def test_tries_that_were_refused_are_told_with_who_and_why(api: Api) -> None:
    mine, purged = await api.ready(), await api.ready()
    path = f"/api/recordings/{mine.id}/audio"
    over = Grant(mine.tenant_id, mine.id, 1, api.clock.now() - timedelta(seconds=1), "user:anna")
    expired = Links(api.services.secret_key).sign(over)
    forged = (await link(api, mine.id))[:-3] + "AAA"
    await api.client.delete(f"/api/recordings/{purged.id}", headers=api.as_("operator"))

    assert (await api.get(path, None)).status_code == 401
    assert (await api.get(path, "bravo")).status_code == 404
    assert (await api.get(forged, None)).status_code == 403
    assert (await api.get(path, None, params={"token": expired})).status_code == 403
    assert (await api.get(f"/api/recordings/{purged.id}/audio")).status_code == 410

    found = await told(api, 5, "refused")

    assert [(detail["why"], entry.actor, entry.tenant_id, entry.target) for entry, detail in found] == [
        ("unauthenticated", "nobody", None, mine.id),
        ("not_found", actor(api, "bravo"), "bravo", mine.id),
        ("bad_link", "nobody", None, mine.id),
        ("link_expired", "user:anna", "acme", mine.id),
        ("purged", actor(api, "acme"), "acme", purged.id),
    ]
    assert {entry.address for entry, _ in found} == {"127.0.0.1"}
    assert not await entries(api.services.store, "listen")
    assert (await api.get(f"/api/recordings/{mine.id}")).json()["listens"] == []  # a tenant learns of no other


async def test_a_flood_of_refused_tries_makes_a_bounded_number_of_entries(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "MOST", 3)
    async with running(tmp_path, clock, store, functions, trusted_proxies="127.0.0.1") as api:
        recording = await api.ready()
        for number in range(60):
            headers = {"x-forwarded-for": f"192.0.2.{number % 6}"}
            assert (await api.get(f"/api/recordings/{recording.id}/audio", None, headers=headers)).status_code == 401
        assert len(await entries(store, "refused")) <= 3

    found = [(one.actor, one.address, json.loads(one.detail)["tries"]) for one in await entries(store, "refused")]
    assert found == [
        *[("nobody", f"192.0.2.{number}", 1) for number in range(3)],
        *[("nobody", f"192.0.2.{number}", 9) for number in range(3)],
        ("others", None, 30),
    ]


async def test_behind_a_proxy_the_asking_address_is_told_also_of_what_goes_straight(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions
) -> None:
    async with running(tmp_path, clock, store, functions, trusted_proxies="127.0.0.1") as api:
        recording = await api.ready()
        path = await link(api, recording.id)
        async with line_to(api) as line:  # one connection of the proxy's, for all
            for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
                for start in (0, 100):
                    forwarded = f"X-Forwarded-For: 203.0.113.9, {address}"
                    fields = f"Host: x\r\n{forwarded}\r\nRange: bytes={start}-{start + 99}"
                    assert len((await line.ask(f"GET {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode()))[2]) == 100
        found = await told(api, 2)

    assert sorted((entry.address, detail["requests"], detail["bytes"]) for entry, detail in found) == [
        ("192.0.2.1", 4, 400),
        ("192.0.2.2", 2, 200),
    ]


async def test_a_server_that_stops_writes_what_it_knows(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "QUIET", NEVER)
    async with running(tmp_path, clock, store, functions) as api:
        recording = await api.ready()
        assert (await api.get(f"/api/recordings/{recording.id}/audio")).content == AUDIO
        assert not await entries(store, "heard")

    (heard,) = await entries(store, "heard")
    assert json.loads(heard.detail)["result"] == "complete"
    assert len(await entries(store, "listen")) == 1


async def test_one_that_goes_on_for_long_is_told_of_in_between(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "QUIET", NEVER)
    monkeypatch.setattr(listening, "LONG", timedelta(0))
    recording = await api.ready()
    path = f"/api/recordings/{recording.id}/audio"
    await api.get(path, headers={"range": "bytes=0-9"})
    ((_, first),) = await told(api)
    await api.get(path, headers={"range": "bytes=10-19"})
    second = (await told(api, 2))[-1][1]

    assert (first["ranges"], second["ranges"]) == ("0-9", "0-19")
    assert first["so_far"]
    assert first["listening"] == second["listening"]
    assert len(await entries(api.services.store, "listen")) == 1


async def test_with_too_many_at_once_the_first_is_told_of(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "QUIET", NEVER)
    monkeypatch.setattr(listening, "MOST", 2)
    recordings = [await api.ready() for _ in range(3)]
    for recording in recordings:
        await api.get(f"/api/recordings/{recording.id}/audio", headers={"range": "bytes=0-9"})

    ((heard, detail),) = await told(api)

    assert (heard.target, detail["bytes"]) == (recordings[0].id, 10)


class Away:
    """A store whose audit log takes nothing while it is away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_away = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def audit_all(self, deeds: Any) -> None:
        if self.is_away:
            raise StoreUnavailable("away")
        await self._store.audit_all(deeds)


async def test_a_store_that_is_away_keeps_nobody_from_listening_and_is_told_later(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callspool.api.trail._MOST_WAITING", 4)
    away: Any = Away(store)
    async with running(tmp_path, clock, away, functions) as api:
        recordings = [await api.ready() for _ in range(3)]
        away.is_away = True
        for recording in recordings:
            assert (await api.get(f"/api/recordings/{recording.id}/audio")).content == AUDIO

        async def are_over() -> bool:
            return not api.app.state.listening._open

        await until(are_over)
        away.is_away = False
        ((_, heard),) = await told(api)

    (lost,) = [entry for entry in await store.audit_log(None, limit=20) if entry.action == "audit.lost"]
    assert json.loads(lost.detail)["entries"] == 2
    assert heard["result"] == "complete"
    assert len(await entries(store, "listen")) == 3
    assert (await store.audit_verify()).broken is None
