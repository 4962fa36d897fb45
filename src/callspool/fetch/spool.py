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
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Final

from callspool.domain.ids import RecordingId

WRITE_BYTES: Final = 256 * 1024
"""Bytes are gathered to this size before a thread hashes and writes them."""

_LOCK: Final = ".lock"
_GATE: Final = ".gate"


class SpoolFile:
    """One growing file. Not for two tasks at once; what came so far can be read beside them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._hash = hashlib.sha256()
        self._pending = bytearray()
        self._flying = b""
        """What a thread writes at the moment, from ``_written`` on."""
        self._written = 0
        self.generation = 0
        """Goes up when all bytes are thrown away."""
        self.watch: Callable[[], None] | None = None
        """Called at each change, while someone listens."""

    @property
    def size(self) -> int:
        """Bytes that came so far."""
        return self._written + len(self._flying) + len(self._pending)

    async def append(self, data: bytes) -> None:
        """Add *data*. Raises `OSError`, e.g. where the disk is full."""
        self._pending += data
        if self.watch is not None:
            self.watch()
        if len(self._pending) >= WRITE_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Hash and write what is pending, off the event loop."""
        if self._pending:
            self._flying, self._pending = bytes(self._pending), bytearray()
            await _settled(asyncio.to_thread(self._write, self._flying))
            self._written, self._flying = self._written + len(self._flying), b""

    async def restart(self) -> None:
        """Forget all bytes: the download begins again."""
        self._pending.clear()
        self._hash = hashlib.sha256()
        self._written, self._flying = 0, b""
        self.generation += 1
        os.ftruncate(self._open(), 0)
        if self.watch is not None:
            self.watch()

    async def finish(self) -> str:
        """Make it durable; return the SHA-256 in hex."""
        await self.flush()
        await _settled(asyncio.to_thread(os.fsync, self._open()))
        return self._hash.hexdigest()

    def remove(self) -> None:
        """Close and delete it; again is fine."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        self.path.unlink(missing_ok=True)

    def reader(self) -> int:
        """Return a descriptor of its own for `peek`: it outlives the file. Raises `ValueError` once it is removed."""
        return os.dup(self._open())

    def peek(self, reader: int, offset: int, most: int) -> bytes:
        """Return up to *most* of the bytes from *offset* on, from the disk or, before they are there, from memory."""
        if offset < self._written:
            return os.pread(reader, min(most, self._written - offset), offset)
        offset -= self._written
        if offset < len(self._flying):
            return self._flying[offset : offset + most]
        offset -= len(self._flying)
        return bytes(memoryview(self._pending)[offset : offset + most])

    def _open(self) -> int:
        if self._descriptor is None:
            raise ValueError("this spool file was removed")
        return self._descriptor

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        view, at = memoryview(data), self._written
        while view:
            count = os.pwrite(self._open(), view, at)
            at += count
            view = view[count:]


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


async def _settled(work: Coroutine[object, object, None]) -> None:
    """Await *work* in a thread to its end, even if we are cancelled: then no thread holds the descriptor."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.exception()  # looked at: nobody else will
        raise


def _safe(worker_id: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in worker_id)[:60]
