"""The process that keeps a recording, or only decodes it, and prints what that took.

``keep`` runs a real worker on a real store, scheduler and vault. Its provider alone is not: it reads the file, and
notes the time when the last byte has been handed over. Before, a short recording is kept, so that the process which
proves is there, as it is for all but the first of a worker's recordings.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.data import made
from benchmarks.data.installation import notice, prepare
from benchmarks.data.media_only import MediaOnly
from benchmarks.machine import process_cpu
from callspool.domain.job import Job
from callspool.domain.ports.provider import Media
from callspool.domain.recording import Recording, State
from callspool.domain.tenant import Account
from callspool.fetch.outcome import Outcome
from callspool.settings import Settings
from callspool.telemetry import configure_logging
from callspool.wiring import Parts, open_parts, open_worker

_PIECE: Final = 256 * 1024
_BLOCK_FRAMES: Final = 1 << 18
_LONGEST_S: Final = 120


class _Body:
    """`callspool.domain.ports.provider.Media`."""

    offset = 0
    etag = None
    channels: int | None = 2
    duration_s: float | None = None
    kind: str | None = None

    def __init__(self, provider: "_FromDisk") -> None:
        self._provider = provider
        self.length: int | None = provider.file.stat().st_size

    async def chunks(self) -> AsyncIterator[bytes]:
        with self._provider.file.open("rb") as file:
            while data := file.read(_PIECE):
                yield data
        self._provider.last_byte = (time.perf_counter(), _cpu_s())


class _FromDisk(MediaOnly):
    """`callspool.domain.ports.provider.Provider`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.last_byte = (0.0, 0.0)

    @asynccontextmanager
    async def open(
        self, account: Account, recording: Recording, *, offset: int = 0, etag: str | None = None
    ) -> AsyncIterator[Media]:
        yield _Body(self)


async def _keep(file: Path, warm: Path, folder: Path, url: str) -> dict[str, float]:
    settings = Settings.read({}, data=folder, valkey_url=url, log_level="error")
    configure_logging(level=settings.log_level, form="json")
    provider, ended = _FromDisk(warm), asyncio.Queue[tuple[Outcome, float, float]]()
    async with open_parts(settings) as parts:
        await prepare(parts, "http://127.0.0.1:1")
        fed = replace(parts, providers={"twilio": provider})
        async with open_worker(
            fed, "bench", lambda outcome: ended.put_nowait((outcome, time.perf_counter(), _cpu_s()))
        ) as worker:
            running = asyncio.create_task(worker.run())
            await _submit(parts, 1)
            await ended.get()
            provider.file = file
            await _submit(parts, 2)
            async with asyncio.timeout(_LONGEST_S):
                outcome, at, cpu_s = await ended.get()
            worker.drain()
            await running
    if outcome.state is not State.READY:
        raise RuntimeError(f"it was not kept: {outcome}")
    return {"seconds": at - provider.last_byte[0], "cpu": cpu_s - provider.last_byte[1]}


async def _submit(parts: Parts, number: int) -> None:
    found = await parts.store.record(notice(made.sid(number, 0), None), actor="benchmark")
    one = found.recording
    await parts.producer.submit(Job(one.id, one.account_id, one.tenant_id))


def _decode(file: Path) -> dict[str, float]:
    """Decode all of it with the library that the proof uses, and do nothing with it."""
    import av
    import numpy as np
    import soundfile

    begun, cpu_s = time.perf_counter(), time.process_time()
    if file.suffix == ".wav":
        with soundfile.SoundFile(file) as sound:
            block = np.empty((_BLOCK_FRAMES, sound.channels), dtype=np.int16)
            while len(sound.read(out=block)):
                pass
    else:
        with av.open(str(file), format="mp3") as container:
            for _ in container.decode(container.streams.audio[0]):
                pass
    return {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu_s}


def _cpu_s() -> float:
    """Return this process's own time and that of those it started."""
    return process_cpu(os.getpid())


def main() -> None:
    """Do it once; print seconds and processor seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["keep", "decode"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--warm", type=Path, help="what is kept before")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--url", help="of Valkey")
    given = parser.parse_args()
    if given.what == "decode":
        told = _decode(given.file)
    else:
        told = uvloop.run(_keep(given.file, given.warm, given.folder, given.url))
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
