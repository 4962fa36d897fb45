"""How the simulator serves audio when nothing is wrong: ranges, entity tags, rate, keep-alive; on the bare wire."""

import asyncio
import time

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callspool.simulator import Simulator
from callspool.simulator.media import Part, read_range
from tests.fixtures.simulator import basic, hear, media_path

RESPONSE = {"ETag": '"tag"', "Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"}


@pytest.mark.parametrize("file_format", ["wav", "mp3"])
async def test_part_of_the_audio_is_that_part(simulator: Simulator, file_format: str) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, duration_s=2)
    whole = await simulator.audio(recording, file_format, channels=1)
    path = media_path(recording, file_format)
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        for text, expected in {
            "bytes=0-0": whole[:1],
            "bytes=43-1000": whole[43:1001],
            "bytes=1000-": whole[1000:],
            "bytes=-7": whole[-7:],
            f"bytes=5-{len(whole) * 2}": whole[5:],
        }.items():
            got = await client.get(path, headers={"Range": text})
            first = len(whole) - 7 if text == "bytes=-7" else int(text[6:].split("-")[0])
            assert (got.status_code, got.content) == (206, expected)
            last = first + len(expected) - 1
            assert got.headers["content-range"] == f"bytes {first}-{last}/{len(whole)}"
        beyond = await client.get(path, headers={"Range": f"bytes={len(whole)}-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")
        head = await client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert int(head.headers["content-length"]) == len(whole)
        assert head.headers["accept-ranges"] == "bytes"


async def test_resuming_holds_only_with_the_right_strong_tag(simulator: Simulator) -> None:
    account = simulator.add_account()
    strong = simulator.add_recording(account_sid=account.sid, duration_s=1)
    weak = simulator.add_recording(account_sid=account.sid, duration_s=1, fault="weak-etag")
    deaf = simulator.add_recording(account_sid=account.sid, duration_s=1, fault="no-range")
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:

        async def resume(recording: object, tag: str) -> int:
            headers = {"Range": "bytes=100-", "If-Range": tag}
            return (await client.get(media_path(recording), headers=headers)).status_code  # type: ignore[arg-type]

        tag = (await client.head(media_path(strong))).headers["etag"]
        assert tag.startswith('"')
        assert await resume(strong, tag) == 206
        assert await resume(strong, '"another"') == 200
        weak_tag = (await client.head(media_path(weak))).headers["etag"]
        assert weak_tag.startswith('W/"')
        assert await resume(weak, weak_tag) == 200
        headers = (await client.head(media_path(deaf))).headers
        assert "accept-ranges" not in headers
        assert await resume(deaf, headers["etag"]) == 200


@given(
    text=st.one_of(st.from_regex(r"bytes=\d{0,3}-\d{0,3}", fullmatch=True), st.text(max_size=12)),
    size=st.integers(1, 200),
)
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_every_range_is_a_part_of_the_file_or_refused(text: str, size: int) -> None:
    part = read_range({"range": text}, size, RESPONSE)
    if part is None:
        assert text.startswith("bytes=")
        return
    assert 0 <= part.start < part.stop <= size
    assert part.is_range or part == Part(0, size, is_range=False)


async def test_download_takes_the_time_that_its_rate_says(simulator: Simulator) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, duration_s=2, rate=64_000, latency_s=0.1)
    begun = time.monotonic()
    got = await hear(simulator.url, media_path(recording), basic(account))
    took = time.monotonic() - begun
    assert got.body == await simulator.audio(recording, channels=1)
    assert took == pytest.approx(0.1 + len(got.body) / 64_000, abs=0.25)


async def test_one_connection_serves_many_requests(simulator: Simulator) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, duration_s=1)
    host, _, port = simulator.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    size = len(await simulator.audio(recording, channels=1))
    request = (
        f"GET {media_path(recording)} HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(account)['Authorization']}\r\n\r\n"
    )
    writer.write(request.encode() * 3)  # pipelined: the second comes while the first is being answered
    for _ in range(3):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert (await reader.readexactly(size))[:4] == b"RIFF"
    writer.close()


@pytest.mark.parametrize("said", [b"\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\nx\r\n\r\n", b"\xff\x00\r\n\r\n"])
async def test_what_is_not_http_is_refused(simulator: Simulator, said: bytes) -> None:
    host, _, port = simulator.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(said)
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.close()
