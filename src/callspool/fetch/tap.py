"""Downloads under way, for those who listen while they come.

Any number of listeners read one download's spool from its first byte, each at its own pace, and cost the download
nothing when there are none. The last bytes are held back until the recording is kept: what the check refuses is
never heard whole. Of what is encrypted nothing is heard before: not a byte of it can be trusted until its end is known,
and what was altered on its way shall not be heard as what was said. A listener whose download fails, is given up or
begins again is cut, never completed.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from callspool.domain.ids import RecordingId
from callspool.fetch.spool import SpoolFile

HELD_BACK: Final = 512
"""Bytes: more than the last frame of a slow MP3, and less than 50 ms of a slow WAV."""
PIECE: Final = 64 * 1024


class Lost(Exception):
    """The download ended without a recording, or its bytes were thrown away: there is nothing more to hear."""


class Tap:
    """One attempt's download."""

    def __init__(self, file: SpoolFile, *, whole: bool = False) -> None:
        """*whole*: nothing of it is heard before it is kept."""
        self._file = file
        self._whole = whole
        self._is_kept = False
        self._is_lost = False
        self._listeners = 0
        self._changed = asyncio.Event()

    def keep(self) -> None:
        """Let the listeners have the rest: the recording is ready."""
        self._is_kept = True
        self._tell()

    def end(self) -> None:
        """Cut whoever listens, unless it was kept."""
        self._is_lost = not self._is_kept
        self._tell()

    @contextlib.contextmanager
    def listen(self) -> Iterator["Listener"]:
        """Let someone listen from the first byte. Raises `Lost` where the file is gone already."""
        try:
            descriptor = self._file.reader()
        except ValueError:
            raise Lost from None
        self._listeners += 1
        self._file.watch = self._tell
        try:
            yield Listener(self, self._file, descriptor)
        finally:
            os.close(descriptor)
            self._listeners -= 1
            if not self._listeners:
                self._file.watch = None

    @property
    def is_kept(self) -> bool:
        """The recording is ready."""
        return self._is_kept

    @property
    def is_lost(self) -> bool:
        """It never will be, by this attempt."""
        return self._is_lost

    @property
    def audible(self) -> int:
        """How many bytes may be heard by now."""
        if self._is_kept:
            return self._file.size
        return 0 if self._whole else self._file.size - HELD_BACK

    @property
    def received(self) -> int:
        """How many bytes came by now."""
        return self._file.size

    @property
    def expected(self) -> int | None:
        """How many there will be, if the provider said so."""
        return self._file.expected

    async def change(self) -> None:
        """Wait until something happens to it."""
        await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Listener:
    """One who listens."""

    def __init__(self, tap: Tap, file: SpoolFile, descriptor: int) -> None:
        self._tap = tap
        self._file = file
        self._descriptor = descriptor
        self._offset = 0
        self._generation = file.generation

    async def next(self) -> bytes:
        """Return what came since; empty: it was all, and the recording was kept. Raises `Lost`."""
        while True:
            if self._tap.is_lost or (self._offset and self._generation != self._file.generation):
                raise Lost
            self._generation = self._file.generation  # before the first byte is heard it may begin again
            if self._offset < self._tap.audible:
                most = min(PIECE, self._tap.audible - self._offset)
                data = self._file.peek(self._descriptor, self._offset, most)
                self._offset += len(data)
                return data
            if self._tap.is_kept:
                return b""
            await self._tap.change()


class Taps:
    """All downloads of this worker that are under way."""

    def __init__(self) -> None:
        self._taps: dict[tuple[RecordingId, int], Tap] = {}
        self._changed = asyncio.Event()

    @contextlib.contextmanager
    def open(self, recording_id: RecordingId, attempt: int, file: SpoolFile, *, whole: bool = False) -> Iterator[Tap]:
        """Let the download be heard while the block runs; at its end listeners are cut, unless it was kept.

        *whole*: it is heard once it is kept, and not before.
        """
        key = (recording_id, attempt)
        tap = self._taps[key] = Tap(file, whole=whole)
        self._changed.set()
        self._changed = asyncio.Event()
        try:
            yield tap
        finally:
            del self._taps[key]
            tap.end()

    async def find(self, recording_id: RecordingId, attempt: int, at_most: timedelta) -> Tap | None:
        """Return the download; one that is just about to begin is waited for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most.total_seconds()):
                while (tap := self._taps.get((recording_id, attempt))) is None:
                    await self._changed.wait()
                return tap
        return None
