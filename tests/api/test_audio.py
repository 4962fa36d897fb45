"""Playing: ranges, links, and what is said of what cannot be played."""

import asyncio
import io
import logging
import re
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
import structlog
from starlette.types import Message

from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Reason
from callspool.playback.ranges import Whole
from callspool.playback.serving import CHUNK, AudioResponse
from callspool.playback.tokens import Grant, Links
from callspool.scheduler.connection import Functions
from callspool.telemetry import configure_logging
from callspool.vault.disk import DiskVault
from callspool.vault.keys import vault_key
from tests.api.conftest import AUDIO, Api, SettableClock, running, until


@pytest.mark.rule("F15")
async def test_safari_gets_its_two_bytes_and_then_the_rest(api: Api) -> None:
    recording = await api.ready()
    path = f"/api/recordings/{recording.id}/audio"

    first = await api.get(path, headers={"range": "bytes=0-1", "origin": "https://crm.example"})
    assert (first.status_code, first.content) == (206, AUDIO[:2])
    assert first.headers["content-range"] == f"bytes 0-1/{len(AUDIO)}"
    assert first.headers["content-type"] == "audio/wav"
    assert first.headers["accept-ranges"] == "bytes"
    assert first.headers["access-control-allow-origin"] == "*"
    assert "content-range" in first.headers["access-control-expose-headers"].lower()

    rest = await api.get(path, headers={"range": "bytes=2-", "if-range": first.headers["etag"]})
    assert (rest.status_code, rest.content) == (206, AUDIO[2:])


@pytest.mark.rule("F15")
async def test_head_tells_what_get_would_send(api: Api) -> None:
    recording = await api.ready()
    path = f"/api/recordings/{recording.id}/audio"

    head = await api.client.head(path, headers=api.as_("acme"))
    whole = await api.get(path)

    assert (head.status_code, head.content, whole.content) == (200, b"", AUDIO)
    assert "origin" in whole.headers["vary"].lower()  # also where no page asked: a cache may meet one later
    same = ("content-length", "etag", "accept-ranges", "content-type")
    assert {name: head.headers[name] for name in same} == {name: whole.headers[name] for name in same}


@pytest.mark.rule("F15")
async def test_a_browser_may_ask_first(api: Api) -> None:
    answer = await api.client.options(
        "/api/recordings/rec_x/audio",
        headers={
            "origin": "https://crm.example",
            "access-control-request-method": "GET",
            "access-control-request-headers": "authorization,if-range,range",
        },
    )

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "range", "if-range"} <= allowed
    assert int(answer.headers["access-control-max-age"]) >= 600  # it is not asked before every seek


@pytest.mark.rule("F15")
async def test_a_page_may_read_what_a_player_needs(api: Api) -> None:
    recording = await api.ready()
    path = f"/api/recordings/{recording.id}/audio"
    for asked in ({}, {"range": "bytes=0-1"}, {"range": f"bytes={len(AUDIO)}-"}):
        answer = await api.get(path, headers={"origin": "https://crm.example", **asked})
        exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert {"content-range", "accept-ranges", "etag", "content-length"} <= exposed


async def test_only_pages_of_the_origins_that_are_set_may_read(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions
) -> None:
    origins = "https://crm.example, https://other.example"
    async with running(tmp_path, clock, store, functions, allowed_origins=origins) as api:
        recording = await api.ready()
        path = f"/api/recordings/{recording.id}/audio"
        for origin, expected in {
            "https://crm.example": "https://crm.example",
            "https://other.example": "https://other.example",
            "https://evil.example": None,
        }.items():
            answer = await api.get(path, headers={"origin": origin})
            assert answer.headers.get("access-control-allow-origin") == expected
            assert {"origin", "authorization"} <= {name.strip().lower() for name in answer.headers["vary"].split(",")}


async def test_several_ranges_come_as_multipart(api: Api) -> None:
    recording = await api.ready()
    wanted = [(0, 9), (500_000, 800_000), (len(AUDIO) - 5, len(AUDIO) - 1)]
    text = ",".join(f"{first}-{last}" for first, last in wanted)

    answer = await api.get(f"/api/recordings/{recording.id}/audio", headers={"range": f"bytes={text}"})

    assert answer.status_code == 206
    assert len(answer.content) == int(answer.headers["content-length"])
    mail = message_from_bytes(f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode() + answer.content)
    ranges = [part["content-range"] for part in mail.get_payload()]
    assert ranges == [f"bytes {first}-{last}/{len(AUDIO)}" for first, last in wanted]
    boundary = answer.headers["content-type"].split("boundary=")[1].encode()
    bodies = [part.split(b"\r\n\r\n", 1)[1][:-2] for part in answer.content.split(b"--" + boundary)[1:-1]]
    assert bodies == [AUDIO[first : last + 1] for first, last in wanted]


async def test_outside_of_the_file_is_416(api: Api) -> None:
    recording = await api.ready()

    answer = await api.get(f"/api/recordings/{recording.id}/audio", headers={"range": f"bytes={len(AUDIO)}-"})

    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(AUDIO)}")


async def test_what_the_browser_has_is_not_sent_again(api: Api) -> None:
    recording = await api.ready()
    path = f"/api/recordings/{recording.id}/audio"
    etag = (await api.client.head(path, headers=api.as_("acme"))).headers["etag"]

    answer = await api.get(path, headers={"if-none-match": etag})

    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert etag == f'"{recording.kept.sha256}"'


async def test_audio_cannot_become_a_page(api: Api) -> None:
    page = b"<html><script>alert(1)</script>" * 100
    recording = await api.ready(data=page, content_type="audio/mpeg")

    headers = (await api.get(f"/api/recordings/{recording.id}/audio")).headers

    assert headers["content-type"] == "audio/mpeg"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert re.fullmatch(r'inline; filename="rec_[0-9a-f]{32}\.mp3"', headers["content-disposition"])


@pytest.mark.rule("F25", "S8")
async def test_not_yet_and_never_are_told_apart(api: Api) -> None:
    async def ask(recording_id: str) -> tuple[int, str, bool]:
        answer = await api.get(f"/api/recordings/{recording_id}/audio")
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, answer.json()["code"], "retry-after" in answer.headers

    for coming in (await api.record(), await api.deferred(), await api.fetching(), await api.announced()):
        answer = await api.get(f"/api/recordings/{coming.id}/audio")
        assert (answer.status_code, answer.headers["content-type"]) == (202, "application/json")
        assert answer.json()["state"] == (await api.services.store.get(None, coming.id)).state
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["cache-control"] == "no-store"
    assert await ask((await api.failed(reason=Reason.GONE)).id) == (409, "needs_retry", False)
    assert await ask((await api.absent()).id) == (404, "absent", False)
    assert await ask("rec_" + "0" * 32) == (404, "not_found", False)
    assert await ask("../../etc") == (404, "not_found", False)


async def test_a_link_plays_without_a_key_until_it_expires(api: Api) -> None:
    recording = await api.ready()
    link = (await api.post(f"/api/recordings/{recording.id}/playback")).json()

    assert (await api.client.get(link["url"])).content == AUDIO
    assert (await api.client.head(link["url"])).status_code == 200

    api.clock.ahead = timedelta(minutes=16)
    late = await api.client.get(link["url"])
    assert (late.status_code, late.json()["code"]) == (403, "link_expired")


@pytest.mark.rule("I9")
async def test_a_link_plays_nothing_else(api: Api) -> None:
    recording, other = await api.ready(), await api.ready("bravo")
    url = (await api.post(f"/api/recordings/{recording.id}/playback")).json()["url"]

    moved = await api.client.get(url.replace(recording.id, other.id))
    assert (moved.status_code, moved.json()["code"]) == (403, "bad_link")
    renamed = await api.client.get(url.replace(recording.id, other.id).replace(".acme.", ".bravo."))
    assert renamed.status_code == 403
    assert (await api.client.get(url[:-1] + ("A" if url[-1] != "A" else "Q"))).status_code == 403
    assert (await api.client.get(f"/api/recordings/{recording.id}/audio")).status_code == 401


async def test_no_log_line_has_the_link_or_the_key(api: Api) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(form="json", stream=stream)
    try:
        recording = await api.ready()
        url = (await api.post(f"/api/recordings/{recording.id}/playback")).json()["url"]
        assert (await api.client.get(url)).status_code == 200
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        structlog.reset_defaults()

    assert f"/api/recordings/{recording.id}/audio?token=***" in stream.getvalue()
    assert url.rsplit(".", 1)[1] not in stream.getvalue()
    assert api.keys["acme"] not in stream.getvalue()


async def test_a_link_is_for_one_attempt(api: Api) -> None:
    recording = await api.ready()
    grant = Grant(recording.tenant_id, recording.id, recording.attempt + 1, api.clock.now() + timedelta(minutes=1))

    answer = await api.client.get(
        f"/api/recordings/{recording.id}/audio", params={"token": Links(api.services.secret_key).sign(grant)}
    )

    assert (answer.status_code, answer.json()["code"]) == (403, "bad_link")


async def test_players_may_be_sent_to_the_object_storage(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the operator wants it and the vault can; a HEAD is answered here: the address is signed for GET."""
    signed = []

    async def presign(key: str, lifetime: timedelta) -> str:
        signed.append((key, lifetime))
        return "https://storage.example/file?signature=x"

    async with running(tmp_path, clock, store, functions, vault_redirect=True) as api:
        recording = await api.ready()
        path = f"/api/recordings/{recording.id}/audio"
        assert (await api.get(path)).content == AUDIO  # a disk has no addresses
        monkeypatch.setattr(api.services.vault, "presign", presign)
        for asked in ({}, {"range": "bytes=5-"}, {"origin": "https://crm.example"}):
            answer = await api.get(path, headers=asked)
            assert (answer.status_code, answer.content) == (307, b"")
            assert answer.headers["location"] == "https://storage.example/file?signature=x"
            assert answer.headers["cache-control"] == "no-store"
        assert signed[0] == (recording.kept.vault_key, timedelta(minutes=15))
        assert (await api.client.head(path, headers=api.as_("acme"))).status_code == 200
        assert (await api.get(path, who="bravo")).status_code == 404


async def test_a_download_is_saved_under_a_name_and_playing_is_not(api: Api) -> None:
    recording = await api.ready()
    path = f"/api/recordings/{recording.id}/audio"
    played = await api.get(path)
    saved = await api.get(path, params={"download": "1"})
    name = f'filename="{recording.id}.wav"'
    assert played.headers["content-disposition"] == f"inline; {name}"
    assert saved.headers["content-disposition"] == f"attachment; {name}"
    assert saved.content == played.content == AUDIO
    link = (await api.post(f"{path.removesuffix('/audio')}/playback")).json()["url"]
    for _ in range(2):  # what was played a moment ago is answered the short way
        assert (await api.client.get(link)).headers["content-disposition"] == f"inline; {name}"
        by_link = await api.client.get(f"{link}&download=1")
        assert by_link.headers["content-disposition"] == f"attachment; {name}"


@pytest.mark.rule("I3")
async def test_a_file_that_lost_its_end_is_not_served_as_whole(api: Api) -> None:
    recording = await api.ready()
    (file,) = (api.folder / "vault").rglob("*.wav")
    with file.open("r+b") as opened:
        opened.truncate(1000)

    answer = await api.get(f"/api/recordings/{recording.id}/audio")

    assert (answer.status_code, answer.json()["code"]) == (503, "vault_unavailable")


def descriptors(folder: Path) -> int:
    """How many descriptors of this process are open on files of the vault."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            count += str(folder) in str(link.readlink())
        except OSError:
            continue
    return count


async def test_the_descriptor_is_given_back_when_the_client_goes(api: Api) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not list descriptors in /proc")
    recording = await api.ready(data=AUDIO * 32)  # more than the sockets buffer
    vault = api.folder / "vault"
    before = descriptors(vault)
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [
        f"GET /api/recordings/{recording.id}/audio HTTP/1.1",
        "host: x",
        f"authorization: Bearer {api.keys['acme']}",
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    assert await reader.readexactly(12) == b"HTTP/1.1 200"
    assert descriptors(vault) > before

    writer.transport.abort()

    async def given_back() -> bool:
        return descriptors(vault) == before

    await until(given_back, seconds=5)


async def test_nothing_is_read_for_a_client_that_went(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(AUDIO * 8)
    vault = DiskVault(tmp_path / "vault")
    key = vault_key(TenantId("acme"), RecordingId("rec_" + "0" * 32), 1, "wav")
    await vault.put(key, tmp_path / "source")
    response = AudioResponse(await vault.open(key), Whole(), content_type="audio/wav", headers=(), send_body=True)
    sent = 0

    async def send(message: Message) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))
        await asyncio.sleep(0)

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    await response({"type": "http"}, gone, send)

    assert sent <= 2 * CHUNK
