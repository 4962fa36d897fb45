"""A small HTTP/1.1 server that can also do wrong: what it sends, and how it ends, is up to the caller.

Frameworks take care that answers are right. This one must be able to lie about lengths, stop in mid-body and
reset connections, and must know to the byte what it has sent and the moment that a client left.
"""

import asyncio
import contextlib
import email.utils
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from callspool.simulator.clock import Clock
from callspool.simulator.requestlog import Entry, Log

Headers = Mapping[str, str]

_LARGEST_HEAD: Final = 64 * 1024
_LARGEST_BODY: Final = 1024 * 1024
_SEND_BUFFER: Final = 128 * 1024
"""Small, so that what counts as sent has nearly arrived."""


class BadRequest(Exception):
    """The client does not speak HTTP as we understand it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked."""

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Exchange:
    """One request and the answer that is being given to it."""

    def __init__(self, request: Request, entry: Entry, writer: asyncio.StreamWriter, clock: Clock) -> None:
        self.request = request
        self.entry = entry
        self.must_close = request.headers.get("connection", "").lower() == "close"
        self._writer = writer
        self._clock = clock

    async def begin(self, status: int, headers: Headers, *, length: int | None) -> None:
        """Send the head. Without a length the body ends with the connection."""
        self.entry.status = status
        lines = [
            f"HTTP/1.1 {status} {_phrase(status)}",
            f"Date: {email.utils.formatdate(self._clock.now().timestamp(), usegmt=True)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        if length is None:
            self.must_close = True
        else:
            lines.append(f"Content-Length: {length}")
        if self.must_close:
            lines.append("Connection: close")
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        await self._writer.drain()

    async def send(self, data: bytes) -> None:
        """Send a part of the body, and come back when the kernel has all of it."""
        self._writer.write(data)
        await self._writer.drain()
        self.entry.sent += len(data)
        self.entry.last_sent = self._clock.monotonic()

    async def answer(self, status: int, body: bytes = b"", headers: Headers | None = None) -> None:
        """Send a whole answer; to HEAD without its body."""
        if status == HTTPStatus.NO_CONTENT:
            await self.begin(status, headers or {}, length=0)
            return
        await self.begin(status, headers or {}, length=len(body))
        if body and self.request.method != "HEAD":
            await self.send(body)

    async def json(self, status: int, value: Any, headers: Headers | None = None) -> None:
        """Send a whole answer of JSON."""
        await self.answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def reset(self) -> None:
        """Break the connection the hard way."""
        self.must_close = True
        peer = self._writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Handler = Callable[[Exchange], Awaitable[None]]


class _Reader(asyncio.StreamReader):
    """Tells that the client is gone in the very step in which the system says so.

    A task would learn of it some turns of the loop later; on a busy machine the same client's next request, which came
    after, might have begun by then, and the two would seem to have run at once.
    """

    gone: Callable[[], None] | None = None

    def feed_eof(self) -> None:
        """Note the end."""
        super().feed_eof()
        self._tell()

    def set_exception(self, exc: Exception) -> None:
        """Note the break."""
        super().set_exception(exc)
        self._tell()

    def _tell(self) -> None:
        if self.gone is not None:
            self.gone()


class HttpServer:
    """One origin: a listening socket on the loopback and its connections."""

    def __init__(self, handle: Handler, log: Log, clock: Clock, origin: Literal["api", "media"]) -> None:
        self._handle = handle
        self._log = log
        self._clock = clock
        self._origin = origin
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.url = ""

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes any free one."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)  # its connections inherit it
            listener.bind((host, port))
            self._server = await asyncio.get_running_loop().create_server(self._protocol, sock=listener, backlog=1024)
        except BaseException:
            listener.close()
            raise
        self.url = f"http://{host}:{listener.getsockname()[1]}"

    async def stop(self) -> None:
        """Close the socket and break what runs."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(_Reader(limit=_LARGEST_HEAD), self._connected)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # so that drain waits until the kernel has all
        early = b""
        try:
            while True:
                request = await _read_request(reader, early)
                entry = self._log.begin(request.method, request.target, self._clock.monotonic(), origin=self._origin)
                entry.authorized = "authorization" in request.headers
                entry.range, entry.if_range = request.headers.get("range", ""), request.headers.get("if-range", "")
                exchange = Exchange(request, entry, writer, self._clock)
                assert isinstance(reader, _Reader)  # noqa: S101 -- of our own protocol
                reader.gone = partial(self._ended, entry)
                try:
                    early = await self._answer_unless_gone(exchange, reader)
                finally:
                    reader.gone = None
                    self._ended(entry)  # also where it was stopped before the answer had begun
                if exchange.must_close:
                    return
        except BadRequest as error:
            writer.write(f"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nX-Why: {error}\r\n\r\n".encode())
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()  # the client has left, or we stop: a frozen one would never take the rest
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self._handle(exchange)
        finally:
            # In the very step in which the last byte went: one turn of the loop later, the client's next request
            # might already have been read, and the two would seem to have run at once.
            self._ended(exchange.entry)

    def _ended(self, entry: Entry) -> None:
        """Note the end, the first time that it is seen."""
        if entry.end is None:
            self._log.end(entry, self._clock.monotonic())

    async def _answer_unless_gone(self, exchange: Exchange, reader: asyncio.StreamReader) -> bytes:
        """Answer, but end at once when the client leaves. Return what came early of its next request."""
        answering = asyncio.ensure_future(self._answer(exchange))
        watching = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
            left = watching.done() and (watching.exception() is not None or not watching.result())
            if left and not answering.done():
                raise ConnectionResetError
            await answering
            return watching.result() if watching.done() and not left else b""
        finally:
            for task in (answering, watching):
                task.cancel()
            await asyncio.gather(answering, watching, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader, early: bytes) -> Request:
    try:
        head = early + await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise BadRequest("the head is too long") from None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    try:
        method, target, _ = first.split(" ")
        headers = {name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        length = int(headers.get("content-length", "0"))
        parts = urlsplit(target)
    except ValueError:
        raise BadRequest("that is not HTTP") from None
    if "transfer-encoding" in headers or not 0 <= length <= _LARGEST_BODY:
        raise BadRequest("a body must have a length, of 1 MiB at most")
    return Request(
        method=method,
        target=target,
        path=unquote(parts.path),
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers=headers,
        body=await reader.readexactly(length) if length else b"",
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
