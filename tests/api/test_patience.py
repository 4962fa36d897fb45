"""Who begins a request and does not end its head is let go; who has asked before may ask again."""

import asyncio
from urllib.parse import urlsplit

import pytest

from callspool.api import patience
from tests.api.conftest import Api

ALIVE = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n"


async def connect(api: Api) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    at = urlsplit(api.url)
    return await asyncio.open_connection(at.hostname, at.port)


async def drip_until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    """Send *text* again and again, so that there is never silence; return what came until the connection ended."""
    ended = asyncio.create_task(reader.read())
    async with asyncio.timeout(20):
        while not ended.done():
            writer.write(text)
            await asyncio.wait({ended}, timeout=0.05)
    writer.close()
    return b"" if isinstance(ended.exception(), ConnectionError) else ended.result()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_TIME_S", 0.5)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\n"])
async def test_a_head_that_never_ends_is_cut(api: Api, begun: bytes) -> None:
    reader, writer = await connect(api)
    writer.write(begun)

    assert await drip_until_closed(reader, writer, b"x-a: b\r\n" if begun else b"\r\n") == b""


@pytest.mark.usefixtures("hurried")
async def test_who_says_nothing_at_all_is_cut(api: Api) -> None:
    reader, writer = await connect(api)

    async with asyncio.timeout(20):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.usefixtures("hurried")
async def test_the_second_head_of_a_connection_has_its_time_too(api: Api) -> None:
    reader, writer = await connect(api)
    writer.write(ALIVE)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")

    assert await drip_until_closed(reader, writer, b"\r\n") == b""


@pytest.mark.usefixtures("hurried")
async def test_an_answer_may_take_longer_than_its_question(api: Api) -> None:
    """The time is the head's alone: a stream of events goes on."""
    reader, writer = await connect(api)
    key = api.as_("acme")["authorization"]
    writer.write(f"GET /api/events HTTP/1.1\r\nhost: a\r\nauthorization: {key}\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    await asyncio.sleep(1.0)  # twice the time of a head

    await api.record()
    await api.services.bulletin.ring()

    async with asyncio.timeout(20):
        assert b'"state":"queued"' in await reader.readuntil(b'"state":"queued"')
    writer.close()
