"""Sends a kept recording over HTTP. Its descriptor is given back when the client goes, however it goes."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from callspool.domain.ports.vault import VaultFile
from callspool.playback.heard import Heard
from callspool.playback.ranges import Parts, Span, Whole

RawHeaders = Sequence[tuple[bytes, bytes]]

CHUNK: Final = 256 * 1024
SEND_TIME: Final = timedelta(minutes=5)
"""A player that pauses reads nothing for a while; one that is cut asks again with a Range."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is sent in one go: a part's head, then the file's bytes."""

    head: bytes
    span: Span | None


class AudioResponse(Response):
    """200 or 206 with bytes of an open vault file, which it closes."""

    def __init__(
        self,
        file: VaultFile,
        answer: Whole | Parts,
        *,
        content_type: str,
        headers: RawHeaders,
        send_body: bool,
    ) -> None:
        # Response's own beginning reads and writes every field: for a small range that is a tenth of the work.
        self.status_code = 206 if isinstance(answer, Parts) else 200
        self.background = None
        self.heard: Heard | None = None
        """Told of what is sent, where somebody wants to know."""
        self._file = file
        self._send_body = send_body
        self._pieces, length, given = _lay_out(answer, file.size, content_type)
        self.raw_headers = [
            *headers,
            *((name.encode(), value.encode()) for name, value in given.items()),
            (b"content-length", b"%d" % length),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Small answers are read and the file closed before the first byte goes out."""
        with self.heard.answering() if self.heard is not None else contextlib.nullcontext():
            try:
                await self._send(receive, send)
            finally:
                await self._file.close()

    async def _send(self, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        if not self._send_body:
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        if len(self._pieces) == 1 and (span := self._pieces[0].span) and span.end - span.start <= CHUNK:
            body = await self._read(span.start, span.end - span.start)
            await self._file.close()
            await send(start)
            await send({"type": "http.response.body", "body": body})
            self._tell(span)
            return
        await send(start)
        gone = asyncio.create_task(until_gone(receive))
        try:
            with contextlib.suppress(TimeoutError):
                await self._send_chunks(send, gone)
        finally:
            gone.cancel()

    async def _send_chunks(self, send: Send, gone: "asyncio.Task[None]") -> None:
        async for chunk, span in self._chunks():
            if gone.done():
                return
            async with asyncio.timeout(SEND_TIME.total_seconds()):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if gone.done():
                return
            self._tell(span)
        await send({"type": "http.response.body", "body": b""})

    async def _chunks(self) -> AsyncIterator[tuple[bytes, Span | None]]:
        for piece in self._pieces:
            if piece.head:
                yield piece.head, None
            if piece.span is None:
                continue
            for offset in range(piece.span.start, piece.span.end, CHUNK):
                length = min(CHUNK, piece.span.end - offset)
                yield await self._read(offset, length), Span(offset, offset + length)

    def _tell(self, span: Span | None) -> None:
        if self.heard is not None and span is not None:
            self.heard.add(span.start, span.end)

    async def _read(self, offset: int, length: int) -> bytes:
        data = await self._file.read(offset, length)
        if len(data) != length:
            # The length is promised already: break the connection off, so that nobody takes a part for the whole.
            raise OSError(f"the vault's file ended {length - len(data)} bytes early")
        return data


async def until_gone(receive: Receive) -> None:
    """Wait until the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _lay_out(answer: Whole | Parts, size: int, content_type: str) -> tuple[list[Piece], int, dict[str, str]]:
    """Return the pieces, their length in bytes, and the header fields that tell of them."""
    if isinstance(answer, Whole):
        return [Piece(b"", Span(0, size) if size else None)], size, {"content-type": content_type}
    if len(answer.spans) == 1:
        span = answer.spans[0]
        given = {"content-type": content_type, "content-range": span.content_range(size)}
        return [Piece(b"", span)], span.end - span.start, given
    pieces, boundary = [], secrets.token_hex(16)
    for index, span in enumerate(answer.spans):
        lead = "\r\n" if index else ""
        fields = f"Content-Type: {content_type}\r\nContent-Range: {span.content_range(size)}"
        pieces.append(Piece(f"{lead}--{boundary}\r\n{fields}\r\n\r\n".encode(), span))
    pieces.append(Piece(f"\r\n--{boundary}--\r\n".encode(), None))
    length = sum(len(piece.head) + (piece.span.end - piece.span.start if piece.span else 0) for piece in pieces)
    return pieces, length, {"content-type": f"multipart/byteranges; boundary={boundary}"}
