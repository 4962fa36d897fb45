"""Downloads under way, on this worker's own disk.

Each worker process has a folder below the spool, held by a file lock: the kernel frees it however the
process ends, and the next worker to start removes what no one holds. Bytes are hashed as they come.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final, ParamSpec

from callspool.domain.ids import RecordingId

WRITE_BYTES: Final = 64 * 1024
"""Bytes are gathered to this size before they are written: small enough to be in the processor's cache still."""
THREAD_BYTES: Final = 512 * 1024
"""Bytes for a thread are gathered to this size: the way there and back costs more than to hash them."""
SLOW_WRITE_S: Final = 0.005
"""After a write that took longer the next one is a thread's, so that a disk that labours holds up nobody else."""

Piece = bytes | memoryview
P = ParamSpec("P")

_LOCK: Final = ".lock"
_GATE: Final = ".gate"


class SpoolFile:
    """One growing file. Not for two tasks at once; what came so far can be read beside them.

    What came is hashed at once and, where the disk takes it at once, written at once: a thread would find it gone from
    the processor's cache. While a slow disk is written to by a thread, the next bytes come.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._hash = hashlib.sha256()
        self._pending: list[Piece] = []
        self._pending_size = 0
        self._flying: list[Piece] = []
        """What a thread writes at the moment, from ``_written`` on."""
        self._flying_size = 0
        self._flight: asyncio.Future[None] | None = None
        self._slow = False
        """The last write was."""
        self._written = 0
        self.generation = 0
        """Goes up when all bytes are thrown away."""
        self.expected: int | None = None
        """Bytes that the provider announced; None: it did not say."""
        self.watch: Callable[[], None] | None = None
        """Called at each change, while someone listens."""

    @property
    def size(self) -> int:
        """Bytes that came so far."""
        return self._written + self._flying_size + self._pending_size

    async def append(self, data: Piece) -> None:
        """Add *data*, which nobody may change any more. Raises `OSError`, of this or an earlier call."""
        self._hash.update(data)
        self._pending.append(data)
        self._pending_size += len(data)
        if self.watch is not None:
            self.watch()
        if self._pending_size >= (THREAD_BYTES if self._slow else WRITE_BYTES):
            await self._begin()

    async def flush(self) -> None:
        """Write what is pending, off the event loop."""
        await self._begin()
        await self._land()

    async def restart(self) -> None:
        """Forget all bytes: the download begins again."""
        await self._land()
        self._pending, self._pending_size = [], 0
        self._hash = hashlib.sha256()
        self._written = 0
        self.generation += 1
        os.ftruncate(self._open(), 0)
        if self.watch is not None:
            self.watch()

    async def finish(self) -> str:
        """Make it durable; return the SHA-256 in hex."""
        await self.flush()
        self._flight = _in_thread(os.fsync, self._open())
        await self._land()
        return self._hash.hexdigest()

    def remove(self) -> None:
        """Close and delete it; again is fine."""
        descriptor, self._descriptor = self._descriptor, None

        def close(flight: "asyncio.Future[None] | None" = None) -> None:
            if flight is not None:
                flight.exception()  # looked at: nobody else will
            if descriptor is not None:
                os.close(descriptor)

        if self._flight is None:
            close()
        else:  # its thread would write on into whatever file gets the same number next
            self._flight.add_done_callback(close)
        self.path.unlink(missing_ok=True)

    def reader(self) -> int:
        """Return a descriptor of its own for `peek`: it outlives the file. Raises `ValueError` once it is removed."""
        return os.dup(self._open())

    def peek(self, reader: int, offset: int, most: int) -> bytes:
        """Return up to *most* of the bytes from *offset* on, from the disk or, before they are there, from memory."""
        if offset < self._written:
            return os.pread(reader, min(most, self._written - offset), offset)
        offset -= self._written
        for piece in (*self._flying, *self._pending):
            if offset < len(piece):
                return bytes(piece[offset : offset + most])
            offset -= len(piece)
        return b""

    async def _begin(self) -> None:
        """Write what is pending, or let a thread do it, once the last one is done."""
        await self._land()
        if self._pending and not self._slow:
            self._write(self._pending)
            self._written += self._pending_size
            self._pending, self._pending_size = [], 0
        elif self._pending:
            self._flying, self._flying_size = self._pending, self._pending_size
            self._pending, self._pending_size = [], 0
            self._flight = _in_thread(self._write, self._flying)

    def _write(self, pieces: Sequence[Piece]) -> None:
        begun = monotonic()
        _write(self._open(), pieces, self._written)
        self._slow = monotonic() - begun > SLOW_WRITE_S

    async def _land(self) -> None:
        """Wait for the thread. Raises its error, and again at each later call: bytes are missing then."""
        if self._flight is not None:
            await asyncio.shield(self._flight)
            self._flight = None
            self._written += self._flying_size
            self._flying, self._flying_size = [], 0

    def _open(self) -> int:
        if self._descriptor is None:
            raise ValueError("this spool file was removed")
        return self._descriptor


class Spool:
    """This process's folder below *folder*, named for people by *worker_id*."""

    def __init__(self, folder: Path, worker_id: str) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _gate(folder):
            _sweep(folder)
            self._own = Path(tempfile.mkdtemp(prefix=f"{_safe(worker_id)}-", dir=folder))
            self._lock: int | None = os.open(self._own / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def open(self, recording_id: RecordingId, attempt: int) -> SpoolFile:
        """Return an empty file for this attempt. Raises `OSError`."""
        return SpoolFile(self._own / f"{recording_id}-{attempt}.part")

    def free(self) -> int:
        """Return the bytes that are free on its disk."""
        found = os.statvfs(self._own)
        return found.f_bavail * found.f_frsize

    def sweep(self) -> None:
        """Remove what processes left that are gone by now."""
        with _gate(self._folder):
            _sweep(self._folder)

    def close(self) -> None:
        """Remove this process's folder; again is fine."""
        lock, self._lock = self._lock, None
        if lock is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            os.close(lock)


@contextlib.contextmanager
def _gate(folder: Path) -> Iterator[None]:
    """Let one process at a time make or sweep folders: a new one is not swept before it is locked."""
    descriptor = os.open(folder / _GATE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove the folders whose process is gone."""
    for own in folder.iterdir():
        if not own.is_dir():
            continue
        try:
            descriptor = os.open(own / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            shutil.rmtree(own, ignore_errors=True)
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(own, ignore_errors=True)
        except BlockingIOError:
            pass  # its process lives
        finally:
            os.close(descriptor)


def _write(descriptor: int, pieces: Sequence[Piece], at: int) -> None:
    for piece in pieces:
        view = memoryview(piece)
        while view:
            count = os.pwrite(descriptor, view, at)
            at += count
            view = view[count:]


def _in_thread(work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[None]":
    return asyncio.get_running_loop().run_in_executor(None, partial(work, *args, **kwargs))


def _safe(worker_id: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in worker_id)[:60]
