"""Who asks for sound and does not read it is let go, and everything that was held for it is given back."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import uvicorn

from callspool.api import patience
from callspool.api.patience import PatientProtocol
from callspool.api.straight import MOST, StraightProtocol
from callspool.cli.serving import Server
from callspool.playback import serving as playback
from tests.api.conftest import AUDIO, Api, started, until
from tests.api.test_audio import descriptors


class Seen(StraightProtocol):
    """The quick protocol, which can be asked what it did."""

    straight = 0

    def _answer(self, data: bytes) -> bool:
        is_answered = super()._answer(data)
        self.straight += is_answered
        return is_answered


@contextlib.asynccontextmanager
async def serving(app: Any, http: Any) -> AsyncIterator[tuple[int, set[Any]]]:
    """Serve; yield the port and the connections that there are."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, http=http, lifespan="off", log_config=None, timeout_keep_alive=1)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        await until(lambda: started(server, running))
        yield listening.getsockname()[1], server.server_state.connections
        server.should_exit = True
        await running


async def reluctant(port: int) -> socket.socket:
    """A client with little room for what it does not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
    return client


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SEND_TIME_S", 0.5)


async def is_let_go(api: Api, connections: set[Any], before: int) -> None:
    """Wait until nothing is left of the connections, though their clients hold their ends."""

    async def nothing_is_left() -> bool:
        return not connections and descriptors(api.folder / "vault") == before

    await until(nothing_is_left, seconds=10)


@pytest.mark.parametrize("wanted", ["", "Range: bytes=1-20000000\r\n", "Range: bytes=0-9,20-20000000\r\n"])
async def test_a_reader_that_takes_nothing_more_is_let_go(api: Api, wanted: str) -> None:
    recording = await api.ready(data=AUDIO * 128)  # more than the sockets buffer
    before = descriptors(api.folder / "vault")
    async with serving(api.app, PatientProtocol) as (port, connections):
        with contextlib.closing(await reluctant(port)) as client:
            head = f"GET /api/recordings/{recording.id}/audio HTTP/1.1\r\nHost: x\r\n{wanted}"
            request = f"{head}Authorization: Bearer {api.keys['acme']}\r\n\r\n".encode()
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, request)
            assert (await loop.sock_recv(client, 12)).startswith(b"HTTP/1.1 20")
            assert descriptors(api.folder / "vault") == before + 1

            await is_let_go(api, connections, before)


async def test_a_reader_of_straight_ranges_that_takes_nothing_more_is_let_go(api: Api) -> None:
    recording = await api.ready(data=AUDIO * 128)
    path = (await api.post(f"/api/recordings/{recording.id}/playback")).json()["url"]
    before = descriptors(api.folder / "vault")
    http = partial(Seen, api.app.state.quick, api.services.vault)
    async with serving(api.app, http) as (port, connections):
        with contextlib.closing(await reluctant(port)) as client:
            loop = asyncio.get_running_loop()
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-{MOST - 1}\r\n\r\n".encode()
            small = request.replace(f"0-{MOST - 1}".encode(), b"0-1")
            await loop.sock_sendall(client, small)
            assert (await loop.sock_recv(client, 12)).startswith(b"HTTP/1.1 206")
            (one,) = connections
            while not one.transport.get_write_buffer_size():  # until the system takes no more
                asked = one.straight
                await loop.sock_sendall(client, request)

                async def is_answered(asked: int = asked) -> bool:
                    return one.straight > asked

                await until(is_answered)
            assert one.straight > 1
            assert descriptors(api.folder / "vault") == before + 1

            await is_let_go(api, connections, before)


async def test_a_reader_that_takes_its_time_gets_all(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SEND_TIME_S", 5.0)
    recording = await api.ready(data=AUDIO * 2)
    async with serving(api.app, PatientProtocol) as (port, _):
        with contextlib.closing(await reluctant(port)) as client:
            head = f"GET /api/recordings/{recording.id}/audio HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, f"{head}Authorization: Bearer {api.keys['acme']}\r\n\r\n".encode())
            came = b""
            while data := await loop.sock_recv(client, 65536):
                came += data
    assert came.partition(b"\r\n\r\n")[2] == AUDIO * 2


async def test_who_is_cut_while_more_is_to_come_leaves_no_error_in_the_log(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(playback, "SEND_TIME", timedelta(seconds=0.2))  # before the connection's own time is over
    recording = await api.ready(data=AUDIO * 128)
    before = descriptors(api.folder / "vault")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(api.app)
        running = asyncio.create_task(server.serve([listening]))
        await server.ready.wait()
        with contextlib.closing(await reluctant(listening.getsockname()[1])) as client:
            head = f"GET /api/recordings/{recording.id}/audio HTTP/1.1\r\nHost: x\r\n"
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(client, f"{head}Authorization: Bearer {api.keys['acme']}\r\n\r\n".encode())
            assert (await loop.sock_recv(client, 12)).startswith(b"HTTP/1.1 20")

            await is_let_go(api, server.server_state.connections, before)
        server.stop()
        await running
    assert [record.message for record in caplog.records if record.name.startswith("uvicorn")] == []
