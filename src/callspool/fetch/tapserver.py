"""The worker's ear-piece: a tiny HTTP server inside the fleet that streams downloads under way to the API.

It answers ``GET /spool/{recording}/{attempt}``, and the same with ``/progress`` for how far that download is, signed
with the installation's secret, and nothing else to anybody. It reads no file but through an open download, and every
wait in it has an end.
"""

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from callspool.audio.check import is_mp3
from callspool.domain.errors import Misconfigured
from callspool.domain.ids import RecordingId
from callspool.domain.ports.clock import Clock
from callspool.fetch.tap import Listener, Lost, Taps
from callspool.playback.relay import (
    AUTHORIZATION,
    END,
    EXPECTED,
    KEPT,
    MOST_HEAD,
    PROOF,
    RECEIVED,
    Seal,
    read_path,
)
from callspool.playback.serving import SEND_TIME

MOST_CONNECTIONS: Final = 512

_HEAD_TIME: Final = timedelta(seconds=5)
_FIND_TIME: Final = timedelta(seconds=2)
"""The store's claim, which the asker saw, comes a moment before the download begins."""
_SNIFFED: Final = 12
_GRACE: Final = timedelta(seconds=1)


class TapServer:
    """Streams *taps* to who holds the secret. Use it as an async context manager."""

    def __init__(self, taps: Taps, *, host: str, port: int, address: str, secret_key: bytes, clock: Clock) -> None:
        self._taps = taps
        self._host = host
        self._port = port
        self._address = address
        self._seal = Seal(secret_key)
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Where others reach it: ``host:port``."""
        if self._address:
            return self._address
        if self._server is None:
            raise ValueError("this server is not running")
        host, port = self._server.sockets[0].getsockname()[:2]
        if host in ("0.0.0.0", "::"):  # noqa: S104 - it is compared, not bound
            host = socket.gethostname()
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def __aenter__(self) -> "TapServer":
        """Listen. Raises `Misconfigured` where the address cannot be had."""
        try:
            self._server = await asyncio.start_server(self._accept, self._host, self._port, limit=MOST_HEAD)
        except OSError as error:
            raise Misconfigured(
                f"Cannot listen on {self._host}:{self._port} for playing while fetching: {error.strerror}. "
                "Choose another with CALLSPOOL_SPOOL_HOST and CALLSPOOL_SPOOL_PORT."
            ) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let those who hear the end of a kept recording do so, for a moment; then close."""
        if self._server is not None:
            self._server.close()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_GRACE.total_seconds())
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this in a task
        self._connections.add(task)
        try:
            if len(self._connections) > MOST_CONNECTIONS:
                await _refuse(writer, "503 Too many listeners")
            else:
                await self._answer(reader, writer)
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
            pass  # who asked went away, or asked what is no HTTP
        finally:
            self._connections.discard(task)
            await _close(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_TIME.total_seconds()):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, _, rest = head.partition("\r\n")
        method, path, _ = line.split(" ", 2)
        wanted, authorization = read_path(path), _fields(rest).get(AUTHORIZATION, "")
        if not self._seal.is_signed(authorization, path, self._clock.now()):
            await _refuse(writer, "403 Not signed")
            return
        if method != "GET" or wanted is None:
            await _refuse(writer, "404 No such spool")
            return
        recording_id, attempt, asks_progress = wanted
        proof = self._seal.proof(authorization)
        if asks_progress:
            await self._tell(writer, recording_id, attempt, proof)
            return
        streaming = asyncio.ensure_future(self._stream(writer, recording_id, attempt, proof))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({streaming, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (streaming, gone):
                task.cancel()
            await asyncio.gather(streaming, gone, return_exceptions=True)

    async def _tell(self, writer: asyncio.StreamWriter, recording_id: RecordingId, attempt: int, proof: str) -> None:
        tap = await self._taps.find(recording_id, attempt, timedelta(0))
        if tap is None or tap.is_lost:
            await _refuse(writer, "404 Nothing under way")
            return
        expected = "" if tap.expected is None else str(tap.expected)
        counts = f"{RECEIVED}: {tap.received}\r\n{EXPECTED}: {expected}\r\n"
        head = f"HTTP/1.1 200 OK\r\n{counts}{PROOF}: {proof}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()

    async def _stream(self, writer: asyncio.StreamWriter, recording_id: RecordingId, attempt: int, proof: str) -> None:
        tap = await self._taps.find(recording_id, attempt, _FIND_TIME)
        with contextlib.ExitStack() as stack:
            try:
                if tap is None:
                    raise Lost
                listener = stack.enter_context(tap.listen())
                first, content_type = await _begin(listener)
            except Lost:
                await _refuse(writer, "404 Nothing to be heard")
                return
            head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n{PROOF}: {proof}\r\n"
            writer.write(f"{head}transfer-encoding: chunked\r\ntrailer: {END}\r\n\r\n".encode())
            with contextlib.suppress(Lost):  # without its end the stream is known to be cut
                await _send(writer, first)
                while data := await listener.next():
                    await _send(writer, data)
                writer.write(f"0\r\n{END}: {KEPT}\r\n\r\n".encode())


async def _begin(listener: Listener) -> tuple[bytes, str]:
    """Return the first bytes and what audio they are. Raises `Lost` also where they are none."""
    first = b""
    while len(first) < _SNIFFED and (data := await listener.next()):
        first += data
    if first[:4] == b"RIFF" and first[8:12] == b"WAVE":
        return first, "audio/wav"
    if is_mp3(first):
        return first, "audio/mpeg"
    raise Lost


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    async with asyncio.timeout(SEND_TIME.total_seconds()):
        await writer.drain()


async def _refuse(writer: asyncio.StreamWriter, status: str) -> None:
    writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
    await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close it when what was written is sent, or soon."""
    writer.close()
    try:
        async with asyncio.timeout(_HEAD_TIME.total_seconds()):
            await writer.wait_closed()
    except (OSError, TimeoutError, asyncio.CancelledError):
        writer.transport.abort()


def _fields(text: str) -> Mapping[str, str]:
    lines = (line.partition(":") for line in text.split("\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in lines}
