"""Serve a recording's audio as the provider would, or as a fault wants it.

Ranges, strong entity tags and If-Range as RFC 9110 says; a given rate; and every way in which a download can
go wrong. Nothing is remembered of a client: what happens is decided by the recording alone.
"""

import asyncio
import email.utils
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final
from urllib.parse import urlencode

from callspool.simulator.clock import Clock
from callspool.simulator.encryption import encrypt
from callspool.simulator.faults import Fault, FaultKind
from callspool.simulator.library import BLOCK, Audio, Library
from callspool.simulator.problems import problem, retry_after
from callspool.simulator.wire import Exchange
from callspool.simulator.world import DELETED, Recording

FORMATS: Final = ("wav", "mp3")

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
_STEPS_A_SECOND: Final = 40
"""In so many steps a second bytes are let out where there is a rate."""
_HTML: Final = (
    b"<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>Something went wrong</h1></body></html>"
)


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes of the audio that are asked for: from *start* to before *stop*."""

    start: int
    stop: int
    is_range: bool

    @property
    def length(self) -> int:
        """How many they are."""
        return self.stop - self.start


class MediaServer:
    """What answers a request for audio, once it is known who asks for which recording."""

    def __init__(self, library: Library, clock: Clock) -> None:
        self._library = library
        self._clock = clock
        self.second_origin = ""
        """Where redirects lead."""

    async def serve(self, exchange: Exchange, recording: Recording, file_format: str) -> None:
        """Answer at the first origin."""
        fault = recording.next_fault(self._clock.monotonic()) if exchange.request.method == "GET" else None
        exchange.entry.fault = fault.kind.value if fault else ""
        match fault:
            case Fault(kind=FaultKind.STATUS | FaultKind.NOT_YET):
                await self._refuse(exchange, fault)
            case Fault(kind=FaultKind.REDIRECT, to=to):
                await exchange.answer(302, b"", {"Location": self._location(exchange, recording, file_format, to)})
            case Fault(kind=FaultKind.HTML):
                await exchange.answer(200, _HTML, {"Content-Type": "text/html; charset=utf-8"})
            case Fault(kind=FaultKind.JSON):
                await exchange.json(200, {"status": "error", "message": "Something went wrong"})
            case _:
                await self.serve_audio(exchange, recording, file_format, fault)

    async def serve_audio(
        self, exchange: Exchange, recording: Recording, file_format: str, fault: Fault | None = None
    ) -> None:
        """Answer with the audio, or with a *fault* in its body."""
        if recording.status in (DELETED, "absent", "in-progress", "paused", "stopped", "processing"):
            await problem(exchange, 404, 20404, f"The requested resource {exchange.request.path} was not found")
            return
        channels = int(exchange.request.query.get("RequestedChannels", "1") == "2") + 1
        if channels > recording.channels:
            await problem(exchange, 400, 16113, "Requested dual channel media for a mono recording")
            return
        latency = recording.alongside(FaultKind.LATENCY)
        if delay := latency.seconds if latency else recording.latency_s:
            await asyncio.sleep(delay)
        audio = encrypt(
            recording,
            await self._library.find(recording.seed, recording.duration_s, file_format, channels, recording.silence_s),
        )
        etag = f"W/{audio.etag}" if recording.alongside(FaultKind.WEAK_ETAG) else audio.etag
        headers = {
            "Content-Type": audio.content_type,
            "ETag": etag,
            "Last-Modified": email.utils.format_datetime(recording.created_at, usegmt=True),
        }
        part: Part | None = Part(0, audio.size, is_range=False)
        if not recording.alongside(FaultKind.NO_RANGE):
            headers["Accept-Ranges"] = "bytes"
            part = read_range(exchange.request.headers, audio.size, headers)
        if part is None:
            await exchange.answer(416, b"", {**headers, "Content-Range": f"bytes */{audio.size}"})
            return
        if part.is_range:
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{audio.size}"
        drip = recording.alongside(FaultKind.DRIP)
        body = _Body(exchange, self._clock, drip.rate if drip else recording.rate)
        await body.send(audio, part, headers, fault, Random(recording.seed))
        resumed = bool(exchange.request.headers.get("if-range"))
        exchange.entry.whole = body.is_honest and part.stop == audio.size and (part.start == 0 or resumed)

    async def _refuse(self, exchange: Exchange, fault: Fault) -> None:
        status = fault.status or 404
        code, message = {
            401: (20003, "Authenticate"),
            403: (20403, "Forbidden"),
            404: (20404, f"The requested resource {exchange.request.path} was not found"),
            410: (20410, "The recording is gone"),
            429: (20429, "Too Many Requests"),
        }.get(status, (20500, "Internal Server Error"))
        await problem(exchange, status, code, message, retry_after(fault, self._clock.now()))

    def _location(self, exchange: Exchange, recording: Recording, file_format: str, to: str) -> str:
        if to == "loop":
            return exchange.request.target
        if to:
            return to
        return self.address(recording, file_format, exchange.request.query.get("RequestedChannels", "1"))

    def address(self, recording: Recording, file_format: str, channels: str) -> str:
        """Return where its audio is at the second origin. As object stores do, the address itself is the permission."""
        return f"{self.second_origin}/media/{recording.sid}.{file_format}?" + urlencode(
            {"RequestedChannels": channels, "signature": f"{recording.seed:x}"}
        )


class _Body:
    """The sending of one body at a rate."""

    def __init__(self, exchange: Exchange, clock: Clock, rate: float | None) -> None:
        self._exchange = exchange
        self._clock = clock
        self._rate = rate
        self.is_honest = False
        """All bytes of the part were sent, and the head told the truth about them."""

    async def send(
        self, audio: Audio, part: Part, headers: Mapping[str, str], fault: Fault | None, random: Random
    ) -> None:
        """Send head and body, with the *fault*."""
        status = 206 if part.is_range else 200
        begin, exchange = self._exchange.begin, self._exchange
        if exchange.request.method == "HEAD":
            await begin(status, headers, length=part.length)
            return
        cut = part.start + int(part.length * (fault.at if fault else 1))
        match fault.kind if fault else None:
            case FaultKind.RESET:
                await begin(status, headers, length=part.length)
                await self._send(_read(audio, part.start, cut))
                exchange.reset()
            case FaultKind.STALL:
                await begin(status, headers, length=part.length)
                await self._send(_read(audio, part.start, cut))
                await asyncio.Event().wait()  # until the client leaves
            case FaultKind.SHORT:
                await begin(status, headers, length=part.length)
                await self._send(_read(audio, part.start, cut))
                exchange.must_close = True
            case FaultKind.TRUNCATED:
                await begin(status, headers, length=None)
                await self._send(_read(audio, part.start, cut))
            case FaultKind.WRONG_LENGTH:
                delta = fault.delta if fault else 0
                exchange.must_close = True
                await begin(status, headers, length=max(part.length + delta, 0))
                await self._send(_read(audio, part.start, part.stop))
            case FaultKind.ALTERED:
                await begin(status, headers, length=part.length)
                await self._send(_read(audio, part.start, cut))
                await self._send(_altered(audio, cut, min(cut + 1, part.stop)))
                await self._send(_read(audio, min(cut + 1, part.stop), part.stop))
            case FaultKind.GARBAGE:
                await begin(status, headers, length=part.length)
                await self._send(_noise(random, part.length))
            case FaultKind.ENDLESS:
                await begin(status, headers, length=None)
                await self._send(_read(audio, part.start, part.stop))
                await self._send(_noise(random, None))
            case _:
                await begin(status, headers, length=part.length)
                await self._send(_read(audio, part.start, part.stop))
                self.is_honest = True

    async def _send(self, blocks: AsyncIterator[bytes]) -> None:
        if not self._rate:
            async for block in blocks:
                await self._exchange.send(block)
            return
        begun, sent = self._clock.monotonic(), 0
        step = max(int(self._rate / _STEPS_A_SECOND), 1)
        async for block in blocks:
            for place in range(0, len(block), step):
                piece = block[place : place + step]
                sent += len(piece)
                await asyncio.sleep(max(begun + sent / self._rate - self._clock.monotonic(), 0))
                await self._exchange.send(piece)


def read_range(request: Mapping[str, str], size: int, response: Mapping[str, str]) -> Part | None:
    """Return the part that is asked for, or None where there is no such part (416)."""
    whole = Part(0, size, is_range=False)
    found = _RANGE.fullmatch(request.get("range", ""))
    if found is None or found[1] == found[2] == "":
        return whole  # none, several, or not one that we understand: RFC 9110 lets us ignore it
    condition = request.get("if-range", "")
    etag = response["ETag"]
    if condition and condition != response["Last-Modified"] and (condition != etag or etag.startswith("W/")):
        return whole
    if found[1] == "":
        length = min(int(found[2]), size)
        return Part(size - length, size, is_range=True) if length else None
    start, last = int(found[1]), min(int(found[2] or size), size - 1)
    if found[2] and int(found[2]) < start:
        return whole
    return Part(start, last + 1, is_range=True) if start < size else None


async def _read(audio: Audio, start: int, stop: int) -> AsyncIterator[bytes]:
    for at in range(start, stop, BLOCK):
        yield audio.read(at, min(at + BLOCK, stop))


async def _altered(audio: Audio, start: int, stop: int) -> AsyncIterator[bytes]:
    async for block in _read(audio, start, stop):
        yield bytes(byte ^ 1 for byte in block)


async def _noise(random: Random, length: int | None) -> AsyncIterator[bytes]:
    left = length
    while left is None or left > 0:
        size = BLOCK if left is None else min(BLOCK, left)
        yield random.randbytes(size)
        left = None if left is None else left - size
