"""Prove that a file is whole audio, in processes that can be lost without harm: the `Prober` port.

A decoder that meets hostile input may crash, hang or swell. It does so in a child (`audio.check`) with
limits of its own. Children are kept and used again, because to start one costs more than most files;
one that fails, or has done its share, is replaced.
"""

import asyncio
import base64
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from callspool.child import Child
from callspool.domain.errors import FetchFailed
from callspool.domain.ports.audio import Probe
from callspool.domain.reasons import Reason

FILES_A_CHILD: Final = 500
ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # glibc gives a freed block of samples back to the system, and asks for it anew, page by page, a moment later: of an
    # hour of MP3 a quarter of the processor time. Kept are less than these bytes, of a process that has a limit.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
"""All that a child inherits."""


class _Checker:
    """One process and how much it has done."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._files = 0

    @property
    def is_worn(self) -> bool:
        return self._files >= FILES_A_CHILD or self._child.has_ended

    async def ask(self, path: Path) -> bytes:
        """Return its answer, empty if it died."""
        self._files += 1
        try:
            await self._child.write(_line(path))
            return await self._child.reader.readline()
        except (ConnectionError, ValueError):
            return b""

    async def end(self) -> None:
        await self._child.end()


class SubprocessProber:
    """A pool of at most *children* processes, started when they are needed."""

    def __init__(self, *, timeout: timedelta = timedelta(seconds=300), children: int = 2) -> None:
        self._timeout = timeout
        self._free = asyncio.Semaphore(children)
        self._idle: list[_Checker] = []

    async def probe(self, path: Path) -> Probe:
        """Decode all of it, away from this process. Raises `FetchFailed` (not_audio, truncated, undecodable)."""
        async with self._free:
            child = await self._take()
            answer = b""
            try:
                async with asyncio.timeout(self._timeout.total_seconds()):
                    answer = await child.ask(path)
            except TimeoutError:
                raise FetchFailed(
                    Reason.UNDECODABLE, f"not decoded within {self._timeout.total_seconds():g} s"
                ) from None
            finally:
                if answer and not child.is_worn:
                    self._idle.append(child)
                else:
                    await child.end()
        if not answer:
            raise FetchFailed(Reason.UNDECODABLE, "the decoder died of it")
        return _read(answer)

    async def close(self) -> None:
        """End the children."""
        idle, self._idle = self._idle, []
        for child in idle:
            await child.end()

    async def _take(self) -> _Checker:
        while self._idle:
            child = self._idle.pop()
            if not child.is_worn:
                return child
            await child.end()
        command = (sys.executable, "-IB", "-m", "callspool.audio.check")
        return _Checker(await Child.start(*command, environment=ENVIRONMENT, is_quiet=True))


def _line(path: Path) -> bytes:
    return json.dumps(os.fspath(path.absolute())).encode() + b"\n"


def _read(answer: bytes) -> Probe:
    found = json.loads(answer)
    if "reason" in found:
        raise FetchFailed(Reason(found["reason"]), found["detail"])
    found["waveform"] = base64.b64decode(found["waveform"])
    return Probe(**found)
