"""Listening to a download under way: over the worker's own server, from the first byte, and never past a cut."""

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callspool.domain.errors import Misconfigured
from callspool.domain.ids import RecordingId
from callspool.fetch.spool import WRITE_BYTES, Spool, SpoolFile
from callspool.fetch.tap import HELD_BACK, Tap, Taps
from callspool.fetch.tapserver import TapServer
from callspool.playback.relay import (
    Cut,
    Flow,
    NotThere,
    Progress,
    Seal,
    open_flow,
    path_of,
    progress_of,
    progress_path_of,
)
from tests.fixtures import made
from tests.fixtures.memory import RealTime

RECORDING = RecordingId("rec_" + "0193a4b5c6d77e8f90a1b2c3d4e5f607")
SECRET = bytes(range(32))
WAV = made.wav(60.0)  # several pieces, several writes


class Rig:
    """A worker's spool and its server, without the worker."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder, "w1")
        self.taps = Taps()
        self.server = TapServer(self.taps, host="127.0.0.1", port=0, address="", secret_key=SECRET, clock=RealTime())

    @asynccontextmanager
    async def listen(
        self, attempt: int = 1, *, secret: bytes = SECRET, now: datetime | None = None
    ) -> AsyncIterator[Flow]:
        async with open_flow(self.server.address, RECORDING, attempt, Seal(secret), now or datetime.now(UTC)) as flow:
            yield flow

    async def ask(self, request: str) -> bytes:
        """Send *request* as it stands; return the answer up to its end."""
        host, port = self.server.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request.encode())
        try:
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path / "spool")
    async with rig.server:
        yield rig
    rig.spool.close()


async def heard(flow: Flow, at_least: int) -> bytes:
    """Read until so many bytes came."""
    data = b""
    async with asyncio.timeout(10):
        while len(data) < at_least:
            more = await flow.next()
            assert more is not None
            data += more
    return data


async def rest(flow: Flow) -> bytes:
    """Read to the end. Raises `Cut`."""
    data = b""
    async with asyncio.timeout(10):
        while (more := await flow.next()) is not None:
            data += more
    return data


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def finished(file: SpoolFile, tap: Tap) -> None:
    """What a worker does at the end of a good download."""
    await file.finish()
    file.remove()
    tap.keep()


async def test_bytes_are_heard_as_they_come_and_the_end_when_it_is_kept(rig: Rig) -> None:
    file = rig.spool.open(RECORDING, 1)
    with rig.taps.open(RECORDING, 1, file) as tap:
        await file.append(WAV[:2000])
        async with rig.listen() as flow:
            assert flow.content_type == "audio/wav"
            got = await heard(flow, 2000 - HELD_BACK)  # nothing of it is on the disk yet
            assert file.path.stat().st_size == 0
            await file.append(WAV[2000:300_000])
            got += await heard(flow, 300_000 - HELD_BACK - len(got))
            await file.append(WAV[300_000:])
            got += await heard(flow, len(WAV) - HELD_BACK - len(got))
            assert got == WAV[:-HELD_BACK]
            await finished(file, tap)
            assert got + await rest(flow) == WAV


async def test_every_listener_hears_all_of_it_at_its_own_pace(rig: Rig) -> None:
    file = rig.spool.open(RECORDING, 1)
    begun: list[int] = []

    async def listen(pieces: int) -> str:
        async with rig.listen() as flow:
            begun.append(pieces)
            digest = hashlib.sha256()
            while (data := await flow.next()) is not None:
                digest.update(data)
                for _ in range(pieces):
                    await asyncio.sleep(0)
            return digest.hexdigest()

    with rig.taps.open(RECORDING, 1, file) as tap:
        listeners = []
        for at in range(0, len(WAV), 40_000):
            listeners.append(asyncio.create_task(listen(len(listeners))))
            await file.append(WAV[at : at + 40_000])
            await asyncio.sleep(0)
        await until(lambda: len(begun) == len(listeners))  # who asks after the end hears it from the vault
        await finished(file, tap)
        async with asyncio.timeout(20):
            digests = await asyncio.gather(*listeners)
    assert digests == [hashlib.sha256(WAV).hexdigest()] * len(listeners)


@pytest.mark.rule("I3")
async def test_a_refused_download_is_cut_and_its_last_bytes_are_never_heard(rig: Rig) -> None:
    file = rig.spool.open(RECORDING, 1)
    async with asyncio.timeout(10):
        with rig.taps.open(RECORDING, 1, file):
            await file.append(WAV[:100_000])
            streaming = rig.listen()
            flow = await streaming.__aenter__()
            got = await heard(flow, 100_000 - HELD_BACK)
            await file.finish()  # all came, and the check says no
            file.remove()
        with pytest.raises(Cut):
            await flow.next()
        await streaming.__aexit__(None, None, None)
    assert got == WAV[: 100_000 - HELD_BACK]


@pytest.mark.rule("I3")
async def test_what_is_heard_only_whole_is_silent_until_it_is_kept(rig: Rig) -> None:
    file = rig.spool.open(RECORDING, 1)
    with rig.taps.open(RECORDING, 1, file, whole=True) as tap:
        await file.append(WAV[:100_000])
        waiting = asyncio.create_task(whole_of(rig))
        await until(lambda: file.watch is not None)
        await file.append(WAV[100_000:])
        await file.flush()
        assert tap.audible == 0
        assert not waiting.done()
        await finished(file, tap)
        assert await waiting == WAV


@pytest.mark.rule("I3")
async def test_what_is_heard_only_whole_is_never_heard_where_it_is_refused(rig: Rig) -> None:
    file = rig.spool.open(RECORDING, 1)
    with rig.taps.open(RECORDING, 1, file, whole=True):
        await file.append(WAV)
        waiting = asyncio.create_task(whole_of(rig))
        await until(lambda: file.watch is not None)
        file.remove()
    with pytest.raises(NotThere):
        await waiting


async def whole_of(rig: Rig) -> bytes:
    async with rig.listen() as flow:
        return await rest(flow)


async def test_a_download_that_begins_again_cuts_who_heard_of_it_and_nobody_else(rig: Rig) -> None:
    file = rig.spool.open(RECORDING, 1)
    with rig.taps.open(RECORDING, 1, file) as tap:
        waiting = asyncio.create_task(anext_of(rig))
        await file.append(b"RIFF")  # too little to be heard
        await until(lambda: file.watch is not None)
        await file.restart()
        await file.append(WAV[:5000])
        assert (await waiting) == WAV[: 5000 - HELD_BACK]
        async with rig.listen() as flow:
            await heard(flow, 1)
            await file.restart()
            await file.append(WAV)
            with pytest.raises(Cut):
                await rest(flow)
        await finished(file, tap)


async def anext_of(rig: Rig) -> bytes:
    async with rig.listen() as flow:
        return await flow.next() or b""


async def test_a_killed_worker_is_a_cut(rig: Rig) -> None:
    """The connection ends as the kernel ends it, without the last word."""
    endings = [b"", b"5\r\nhel", b"0\r\n", b"0\r\n\r\n", b"0\r\ncallspool-end: no\r\n\r\n", b"rubbish\r\n"]

    async def dies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        proof = Seal(SECRET).proof(head.split("authorization: ")[1].split("\r\n")[0])
        answer = f"HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\ncallspool-proof: {proof}\r\n\r\n5\r\nhello\r\n"
        writer.write(answer.encode() + endings.pop())
        writer.close()

    while endings:
        async with await asyncio.start_server(dies, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            async with open_flow(f"{host}:{port}", RECORDING, 1, Seal(SECRET), datetime.now(UTC)) as flow:
                assert await flow.next() == b"hello"
                with pytest.raises(Cut):
                    await flow.next()


async def test_only_a_holder_of_the_secret_hears_anything(rig: Rig) -> None:
    file = rig.spool.open(RECORDING, 1)
    path, now, seal = path_of(RECORDING, 1), datetime.now(UTC), Seal(SECRET)
    with rig.taps.open(RECORDING, 1, file):
        await file.append(WAV[:50_000])
        refused = {
            "no signature": f"GET {path} HTTP/1.1\r\n\r\n",
            "another recording's": _signed(path, seal.sign(path_of(RECORDING, 2), now)),
            "another secret's": _signed(path, Seal(b"x" * 32).sign(path, now)),
            "expired": _signed(path, seal.sign(path, now - timedelta(days=1))),
            "damaged": _signed(path, seal.sign(path, now)[:-1] + "."),
            "another file": _signed("/spool/../../etc/passwd", seal.sign(path, now)),
        }
        for what, request in refused.items():
            assert (await rig.ask(request)).startswith(b"HTTP/1.1 403 "), what
        for other in ("POST", "HEAD", "PUT"):
            assert (await rig.ask(_signed(path, seal.sign(path, now), other))).startswith(b"HTTP/1.1 404 ")
        nothing = "/metrics"
        assert (await rig.ask(_signed(nothing, seal.sign(nothing, now)))).startswith(b"HTTP/1.1 404 ")
        for rubbish in ("\r\n\r\n", "GET\r\n\r\n", "x" * 100_000):
            with contextlib.suppress(ConnectionError):
                assert await rig.ask(rubbish) == b""
        async with rig.listen(now=now - timedelta(minutes=10)) as flow:  # a clock that is behind
            assert await heard(flow, 1)


def _signed(path: str, authorization: str, method: str = "GET") -> str:
    return f"{method} {path} HTTP/1.1\r\nAuthorization: {authorization}\r\n\r\n"


async def test_an_answer_without_proof_is_not_believed() -> None:
    """An address of yesterday may be somebody else's by now."""

    async def stranger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\ncallspool-proof: \xff00\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(stranger, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(NotThere):
            async with open_flow(f"{host}:{port}", RECORDING, 1, Seal(SECRET), datetime.now(UTC)):
                pass
    for nobody in (f"{host}:{port}", "no address", "", "::"):
        with pytest.raises(NotThere):
            async with open_flow(nobody, RECORDING, 1, Seal(SECRET), datetime.now(UTC)):
                pass


@pytest.mark.rule("F10")
async def test_an_error_page_is_never_heard(rig: Rig) -> None:
    file = rig.spool.open(RECORDING, 1)
    with rig.taps.open(RECORDING, 1, file):
        await file.append(b"<html>" * 1000)
        with pytest.raises(NotThere):
            async with rig.listen():
                pass


async def test_an_attempt_that_is_not_here_is_not_waited_for_long(rig: Rig) -> None:
    with pytest.raises(NotThere):
        async with rig.listen(attempt=7):
            pass


async def test_one_that_is_about_to_begin_is_waited_for(rig: Rig) -> None:
    waiting = asyncio.create_task(anext_of(rig))
    await until(lambda: len(rig.server._connections) == 1)
    file = rig.spool.open(RECORDING, 1)
    with rig.taps.open(RECORDING, 1, file) as tap:
        await file.append(WAV)
        await finished(file, tap)
        assert (await waiting)[:4] == b"RIFF"


async def test_a_listener_that_leaves_costs_nothing_any_more(rig: Rig) -> None:
    file = rig.spool.open(RECORDING, 1)
    with rig.taps.open(RECORDING, 1, file):
        await file.append(WAV[:WRITE_BYTES])
        before = descriptors()
        async with rig.listen() as flow:
            await heard(flow, 1)
            assert file.watch is not None
        await until(lambda: file.watch is None and descriptors() == before)


async def test_a_listener_that_lags_hears_the_end_after_the_file_is_gone(rig: Rig) -> None:
    file = rig.spool.open(RECORDING, 1)
    with rig.taps.open(RECORDING, 1, file) as tap:
        await file.append(WAV)
        streaming = rig.listen()
        flow = await streaming.__aenter__()
        await finished(file, tap)
    assert not file.path.exists()
    assert await rest(flow) == WAV
    await streaming.__aexit__(None, None, None)


async def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = TapServer(Taps(), host="127.0.0.1", port=port, address="", secret_key=SECRET, clock=RealTime())
        with pytest.raises(Misconfigured, match="CALLSPOOL_SPOOL_PORT"):
            await server.__aenter__()


async def test_the_address_is_the_one_that_is_set_or_listened_on(rig: Rig) -> None:
    host, port = rig.server.address.split(":")
    assert host == "127.0.0.1"
    assert int(port) > 0
    server = TapServer(
        Taps(), host="0.0.0.0", port=0, address="worker-7.internal:8410", secret_key=SECRET, clock=RealTime()
    )
    assert server.address == "worker-7.internal:8410"
    server = TapServer(Taps(), host="0.0.0.0", port=0, address="", secret_key=SECRET, clock=RealTime())
    async with server:
        assert server.address.startswith(socket.gethostname() + ":")


async def test_a_worker_says_how_far_a_download_is(rig: Rig) -> None:
    async def progress(attempt: int = 1, secret: bytes = SECRET) -> Progress:
        return await progress_of(rig.server.address, RECORDING, attempt, Seal(secret), datetime.now(UTC))

    with pytest.raises(NotThere):
        await progress()
    file = rig.spool.open(RECORDING, 1)
    with rig.taps.open(RECORDING, 1, file):
        assert await progress() == Progress(0, None)
        file.expected = len(WAV)
        await file.append(WAV[:5000])
        assert await progress() == Progress(5000, len(WAV))
        with pytest.raises(NotThere):
            await progress(2)
        with pytest.raises(NotThere):
            await progress(secret=bytes(32))
        heard_only = Seal(SECRET).sign(path_of(RECORDING, 1), datetime.now(UTC))
        path = progress_path_of(RECORDING, 1)
        answer = await rig.ask(f"GET {path} HTTP/1.1\r\nauthorization: {heard_only}\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 403")
    file.remove()
    with pytest.raises(NotThere):
        await progress()
