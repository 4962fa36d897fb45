"""Make a recording smaller, in a process that can be lost without harm: the `Renderer` port.

A process for each file: next to the encoding its start costs nothing, and they are rare.
"""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from callspool.audio.probe import ENVIRONMENT
from callspool.child import Child
from callspool.domain.errors import FetchFailed
from callspool.domain.reasons import Reason

_BLOCK: Final = 64 * 1024


class SubprocessRenderer:
    """At most *at_once* processes; who comes later waits."""

    def __init__(self, *, timeout: timedelta = timedelta(minutes=15), at_once: int = 1) -> None:
        self._timeout = timeout
        self._free = asyncio.Semaphore(at_once)

    async def render(self, source: Path, target: Path) -> None:
        """Write *source* to *target* as Ogg Opus. Raises `FetchFailed` (undecodable); then the target is a part."""
        async with self._free:
            command = (sys.executable, "-IB", "-m", "callspool.audio.opus", os.fspath(source))
            child = await Child.start(*command, environment=ENVIRONMENT, is_quiet=True)
            try:
                async with asyncio.timeout(self._timeout.total_seconds()):
                    with target.open("wb") as file:
                        while data := await child.reader.read(_BLOCK):
                            await asyncio.to_thread(file.write, data)
                    code = await child.wait()
            except TimeoutError:
                raise FetchFailed(
                    Reason.UNDECODABLE, f"not encoded within {self._timeout.total_seconds():g} s"
                ) from None
            finally:
                await child.end()
        if code != 0:
            raise FetchFailed(Reason.UNDECODABLE, "the encoder does not take it")
