"""The process of one way to bring recordings to the disk: it does so, prints what it took, and ends.

The time is from the first request until the last file is whole, hashed and durable. The shell's pipeline alone is
spared the last: it is taken as people write it. A worker runs for days, so with ``--warm`` the order is carried out
once before it counts.
"""

import argparse
import asyncio
import hashlib
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.data import made
from callspool.domain.ports.provider import Provider
from callspool.fetch.download import Limits, download
from callspool.fetch.spool import WRITE_BYTES, Spool
from callspool.providers.twilio import Twilio

_LIMITS: Final = Limits(deadline=timedelta(minutes=5), minimum_rate=0)


@dataclass(frozen=True, slots=True)
class Order:
    """What to bring, and where to."""

    url: str
    file: Path
    """The same bytes on this machine."""
    folder: Path
    size: int
    count: int


Bring = Callable[[], Awaitable[None]]
Way = Callable[[Order], AbstractAsyncContextManager[Bring]]


@asynccontextmanager
async def _ours(order: Order) -> AsyncIterator[Bring]:
    provider = Twilio()
    try:
        yield _through(provider, order)
    finally:
        await provider.close()


@asynccontextmanager
async def _fallback(order: Order) -> AsyncIterator[Bring]:
    from benchmarks.data.fallback import Fallback

    async with Fallback() as provider:
        yield _through(provider, order)


def _through(provider: Provider, order: Order) -> Bring:
    """Bring them all at once, through the worker's own download and spool."""
    spool = Spool(order.folder, "bench")

    async def fetch(number: int) -> None:
        recording = made.recording(number, order.size)
        file = spool.open(recording.id, 1)
        got = await download(provider, made.account(order.url), recording, file, _LIMITS)
        file.remove()
        if got.size != order.size:
            raise RuntimeError(f"{got.size} of {order.size} bytes came")

    async def bring() -> None:
        await asyncio.gather(*(fetch(number) for number in range(order.count)))

    return bring


@asynccontextmanager
async def _local(order: Order) -> AsyncIterator[Bring]:
    """The same Python without a network, and without a loop: read, hash, write, make durable."""

    async def bring() -> None:
        for number in range(order.count):
            _copy(order.file, order.folder / str(number), order.size)

    yield bring


def _copy(source: Path, target: Path, left: int) -> None:
    digest = hashlib.sha256()
    with source.open("rb", buffering=0) as original, target.open("wb", buffering=0) as copy:
        while left:
            data = original.read(min(WRITE_BYTES, left))
            digest.update(data)
            copy.write(data)
            left -= len(data)
        os.fsync(copy.fileno())
    digest.hexdigest()
    target.unlink()


@asynccontextmanager
async def _pipeline(order: Order) -> AsyncIterator[Bring]:
    url, target = f"{order.url}/{made.sid(1, order.size)}.wav", order.folder / "piped"
    line = f"curl -sSf {shlex.quote(url)} | tee {shlex.quote(str(target))} | sha256sum"

    async def bring() -> None:
        await asyncio.to_thread(subprocess.run, ["bash", "-o", "pipefail", "-c", line], check=True, capture_output=True)

    yield bring


WAYS: Final[Mapping[str, Way]] = {"callspool": _ours, "local": _local, "curl": _pipeline, "fallback": _fallback}


def main() -> None:
    """Do it; print seconds, processor seconds and the most memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=sorted(WAYS))
    parser.add_argument("--url", required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--warm", action="store_true")
    given = parser.parse_args()
    order = Order(given.url, given.file, given.folder, given.size, given.count)
    sys.stdout.write(json.dumps(uvloop.run(_measure(WAYS[given.way], order, warm=given.warm))) + "\n")


async def _measure(way: Way, order: Order, *, warm: bool) -> dict[str, float]:
    async with way(order) as bring:
        if warm:
            await bring()
        cpu, begun = _cpu_s(), time.perf_counter()
        await bring()
        return {
            "seconds": time.perf_counter() - begun,
            "cpu_s": _cpu_s() - cpu,
            "memory_mb": _most_memory_mb(),
        }


def _cpu_s() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def _most_memory_mb() -> float:
    """Return this process's own peak: what rusage tells begins with the parent's."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
