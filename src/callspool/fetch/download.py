"""Bring a recording's bytes from the provider into a spool file, within limits of time, rate and size.

A break is mended here only where that costs nothing: by going on from where it broke, a few times. Everything else,
a download that would have to begin again among it, ends the attempt with its reason; the scheduler counts it and knows
when to try again.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Final

from callspool.domain.errors import FetchFailed
from callspool.domain.ports.provider import Media, Provider
from callspool.domain.reasons import Reason
from callspool.domain.recording import Recording
from callspool.domain.tenant import Account
from callspool.fetch.decrypt import Decryptor, unwrap_key
from callspool.fetch.spool import SpoolFile

MOST_RESUMES: Final = 3
RATE_WINDOW: Final = timedelta(seconds=30)

_FLUSH_EVERY: Final = 1.0
"""Seconds: a slow download shows on the disk at least this often."""
_MENDABLE: Final = frozenset({Reason.INTERRUPTED, Reason.TRUNCATED})
_WAV_BYTES_A_SECOND: Final = 40_000
"""A channel of 16 bits at 16 kHz, and a quarter more."""
_MP3_BYTES_A_SECOND: Final = 20_000
"""160 kbit/s, whatever the channels: the most that Layer III has at a telephone's sample rates (up to 24 kHz)."""
_MOST_CHANNELS: Final = 2
_LEAST_CAP: Final = 1 << 20
_UNKNOWN_CAP: Final = 2 << 30


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What came."""

    size: int
    sha256: str
    first_byte_ms: int
    """From the request to the answer's head."""
    channels: int | None = None
    """How many the form that came was asked to have; None: any."""
    duration_s: float | None = None
    """As the provider said with the file."""
    has_length: bool = False
    """The provider said how many bytes there are, and so many came."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, and how slow, a download may be."""

    deadline: timedelta
    minimum_rate: int
    """Bytes a second over each window; 0: any."""
    rate_window: timedelta = RATE_WINDOW


def size_cap(recording: Recording, kind: str | None = None, channels: int | None = None) -> int:
    """Return the most bytes that a recording of the announced duration can have, in the form that was asked for."""
    if recording.announced_duration_s is None:
        return _UNKNOWN_CAP
    rate = _MP3_BYTES_A_SECOND if kind == "mp3" else _WAV_BYTES_A_SECOND * (channels or _MOST_CHANNELS)
    return int(recording.announced_duration_s * rate) + _LEAST_CAP


async def download(
    provider: Provider, account: Account, recording: Recording, file: SpoolFile, limits: Limits
) -> Downloaded:
    """Fill *file* with the whole recording and make it durable. Raises `FetchFailed`; `OSError` from the disk."""
    work = _Download(provider, account, recording, file, limits)
    try:
        async with asyncio.timeout(limits.deadline.total_seconds()):
            await work.run()
    except TimeoutError:
        raise FetchFailed(Reason.DEADLINE, f"{file.size} bytes in {limits.deadline.total_seconds():g} s") from None
    return Downloaded(
        file.size, await file.finish(), work.first_byte_ms, work.channels, work.duration_s, work.has_length
    )


class _Download:
    """One download with its resumptions."""

    def __init__(
        self, provider: Provider, account: Account, recording: Recording, file: SpoolFile, limits: Limits
    ) -> None:
        self._provider = provider
        self._account = account
        self._recording = recording
        self._file = file
        self._limits = limits
        self._cap = size_cap(recording)
        self._received = 0
        """Bytes from the provider: more than the file has where they are decrypted on the way."""
        self._key = unwrap_key(recording.encryption, account) if recording.encryption else None
        self._decryptor = self._new_decryptor()
        self._etag: str | None = None
        self._length: int | None = None
        self.first_byte_ms = 0
        self.channels: int | None = None
        self.duration_s: float | None = None

    async def run(self) -> None:
        breaks = 0
        while True:
            try:
                await self._receive()
            except FetchFailed as failed:
                breaks += 1
                if failed.reason not in _MENDABLE or breaks > MOST_RESUMES or not self._can_go_on:
                    raise
            else:
                return

    @property
    def has_length(self) -> bool:
        return self._length is not None

    @property
    def _can_go_on(self) -> bool:
        """Say whether what came is of use: else another try is a whole download, which is not ours to begin."""
        return self._received > 0 and self._etag is not None

    async def _receive(self) -> None:
        offset = self._received if self._can_go_on else 0
        asked = monotonic()
        async with self._provider.open(self._account, self._recording, offset=offset, etag=self._etag) as media:
            self.first_byte_ms = self.first_byte_ms or max(1, round((monotonic() - asked) * 1000))
            if media.offset != self._received or (offset and media.etag != self._etag):
                await self._restart()
            if media.offset != self._received:
                raise FetchFailed(Reason.PROVIDER_ERROR, "the provider sent another range than was asked for")
            self._etag, self._length, self.channels = media.etag, media.length, media.channels
            self.duration_s, self._file.expected = media.duration_s, media.length
            self._cap = size_cap(self._recording, media.kind, media.channels)
            if self._length is not None and self._length > self._cap:
                raise FetchFailed(Reason.TOO_LARGE, f"{self._length} bytes announced, at most {self._cap} expected")
            await self._fill(media)
        if self._length is not None and self._received != self._length:
            raise FetchFailed(Reason.TRUNCATED, f"{self._received} of {self._length} bytes")
        if self._decryptor is not None:
            self._decryptor.finish()

    def _new_decryptor(self) -> Decryptor | None:
        encryption = self._recording.encryption
        return Decryptor(self._key, encryption.iv) if self._key and encryption else None

    async def _restart(self) -> None:
        self._received, self._decryptor = 0, self._new_decryptor()
        await self._file.restart()

    async def _fill(self, media: Media) -> None:
        time = asyncio.get_running_loop().time
        window_s = self._limits.rate_window.total_seconds()
        since, before, flushed = time(), self._received, time()
        async for chunk in media.chunks():
            if self._received + len(chunk) > self._cap:
                raise FetchFailed(Reason.TOO_LARGE, f"more than {self._cap} bytes")
            self._received += len(chunk)
            await self._file.append(self._decryptor.feed(chunk) if self._decryptor else chunk)
            now = time()
            if now - flushed >= _FLUSH_EVERY:
                await self._file.flush()
                flushed = now
            if now - since >= window_s:
                rate = (self._received - before) / (now - since)
                if rate < self._limits.minimum_rate:
                    raise FetchFailed(Reason.TOO_SLOW, f"{rate:.0f} bytes a second")
                since, before = now, self._received
