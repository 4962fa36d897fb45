"""The proxy of the fault runs: what passes, and what each way to cut does."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from chaos.proxy import Proxy, Upstream


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before a server that says what it heard."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        proxy = Proxy(Upstream(port=server.sockets[0].getsockname()[1]))
        await proxy.start()
        yield proxy
        await proxy.stop()


async def test_what_is_not_cut_passes_and_what_is_dropped_comes_when_it_is_healed(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"one")
    assert await reader.read(100) == b"one"
    proxy.cut("drop")
    writer.write(b"two")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(100), 0.2)
    proxy.heal()
    assert await reader.read(100) == b"two"
    writer.close()


async def test_reset_breaks_what_is_open_and_refuses_what_is_new_until_it_is_healed(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"one")
    assert await reader.read(100) == b"one"
    proxy.cut("reset")
    proxy.cut("reset")  # again, when all is closed
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    writer.close()
    late, other = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await late.read(100) == b""
    other.close()
    proxy.heal()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"two")
    assert await reader.read(100) == b"two"
    writer.close()


async def test_half_closed_connection_ends_for_its_client(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"one")
    assert await reader.read(100) == b"one"
    proxy.cut("half-close")
    assert await reader.read(100) == b""
    writer.close()
