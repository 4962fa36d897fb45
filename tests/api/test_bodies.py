"""How much may be sent to us, and how slowly: the same bounds on every route, whoever asks."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from callspool.api import bodies
from callspool.api.bodies import MOST_BYTES
from tests.api.conftest import Api

ROUTES = ["/api/session", "/api/keys", "/api/failures/retry", "/webhooks/twilio/main"]


@pytest.mark.parametrize("path", ROUTES)
async def test_a_body_that_is_too_large_is_refused_before_anybody_reads_it(api: Api, path: str) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1024

    said = await api.client.post(path, content=b" " * (MOST_BYTES + 1))
    unsaid = await api.client.post(path, content=endless())

    for answer in (said, unsaid):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_what_never_ends_is_cut(api: Api) -> None:
    """After a megabyte nobody listens any more: the connection is closed under the sender."""
    at = urlsplit(api.url)
    _, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(b"POST /api/session HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
    sent = 0

    async def pour() -> None:
        nonlocal sent
        async with asyncio.timeout(10):
            while True:
                writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                await writer.drain()
                sent += 0x10000

    with pytest.raises(ConnectionError):
        await pour()
    assert sent < 16 * bodies.MOST_DISCARDED  # the rest lay in the buffers of the network
    writer.close()


async def test_the_largest_that_is_allowed_is_read(api: Api) -> None:
    wish = json.dumps({"key": "x"}).encode()

    answer = await api.client.post(
        "/api/session", content=wish.ljust(MOST_BYTES), headers={"content-type": "application/json"}
    )

    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_refused")


@pytest.mark.parametrize("path", ROUTES)
async def test_a_client_that_sends_too_slowly_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(bodies, "TIME_S", 0.5)
    answer = None
    while answer is None:
        # A byte that reaches a connection which is closed already can take the answer with it.
        with contextlib.suppress(ConnectionResetError):
            answer = await _sent_slowly(api.url, path)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in head
    assert b"connection: close" in head.lower()
    assert json.loads(body)["code"] == "too_slow"


async def _sent_slowly(url: str, path: str) -> bytes:
    at = urlsplit(url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n".encode())
    answer = asyncio.create_task(reader.read())
    try:
        while not answer.done():  # each byte comes in time; all of them would not
            writer.write(b" ")
            await asyncio.wait({answer}, timeout=0.05)
        return answer.result()
    finally:
        writer.close()


async def test_who_leaves_within_the_body_breaks_nothing(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    at = urlsplit(api.url)
    _, writer = await asyncio.open_connection(at.hostname, at.port)
    writer.write(b"POST /api/session HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await api.get("/api/recordings")).status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_page_of_another_origin_can_read_the_refusal(api: Api) -> None:
    answer: httpx.Response = await api.client.post(
        "/api/failures/retry", content=b" " * (MOST_BYTES + 1), headers={"origin": "https://crm.example"}
    )

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (413, "*")
