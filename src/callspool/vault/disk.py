"""The vault on a disk: whole files only, durable when `put` returns.

A file appears under its name by a hard link, in one step: no reader ever sees a part of it, and a crash
leaves at most a temporary file, which is swept. The data is fsynced before the name exists, the folder
after. Where source and vault share a filesystem nothing is copied.
"""

import asyncio
import contextlib
import errno
import filecmp
import io
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from callspool.domain.errors import NotFound, VaultUnavailable
from callspool.domain.ids import RecordingId, TenantId
from callspool.vault.keys import TOMBSTONES, check_key, folder_of, is_key, is_of, tombstone_of_key

LEFTOVER_AGE: Final = timedelta(hours=1)
"""A temporary file older than this is nobody's any more."""

_TEMPORARY: Final = ".tmp"
_INLINE_READ: Final = 256 * 1024
"""Smaller reads of what is in memory cost less than the way to a thread and back."""
_NO_WAIT: Final[int | None] = getattr(os, "RWF_NOWAIT", None)
"""Linux can say that it would have to wait for the disk."""
_CANNOT_LINK: Final = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS})

T = TypeVar("T")


class DiskFile:
    """An open file of the vault: the `VaultFile` port."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self._size = os.fstat(descriptor).st_size

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    async def read(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""
        if self._descriptor is None:
            raise VaultUnavailable("This file of the vault is closed.")
        wanted = max(0, min(length, self._size - offset))
        try:
            if wanted <= _INLINE_READ and _is_in_memory(self._descriptor, offset, wanted):
                return _read_all(self._descriptor, offset, wanted)
            # A descriptor of its own: a reader that is cancelled leaves the thread behind, and a number
            # that was closed meanwhile could belong to another file by then.
            own = os.dup(self._descriptor)
            return await asyncio.to_thread(_read_and_close, own, offset, wanted)
        except OSError as error:
            raise _unavailable(error) from error

    async def close(self) -> None:
        """Give the descriptor back; again is fine."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class DiskVault:
    """Finished recordings in a folder: the `Vault` port.

    A source file may come to share its inode with the vault: whoever wrote it must not write it again
    after `put`; to delete it is fine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = str(folder)
        self._temporary = folder / _TEMPORARY
        try:
            self._temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep(LEFTOVER_AGE)
        except OSError as error:
            raise _unavailable(error) from error

    async def put(self, key: str, source: Path) -> None:
        """Store the file under *key*: durable and whole when this returns, invisible before. Same key, same file."""
        target = self._path(key)
        await _in_thread(lambda: self._put(target, source))

    async def put_bytes(self, key: str, data: bytes) -> None:
        """Store something small under *key*, with the promises of `put`."""
        target = self._path(key)
        await _in_thread(lambda: self._put_bytes(target, data))

    async def read_all(self, key: str) -> bytes:
        """Return the whole of something small, or raise `NotFound`."""
        file = await self.open(key)
        try:
            return await file.read(0, file.size)
        finally:
            await file.close()

    async def keys(
        self, tenant_id: TenantId | None = None, recording_id: RecordingId | None = None
    ) -> AsyncIterator[str]:
        """Yield every key (of a tenant, of one recording of it), in no order. What is no key of ours is passed over."""
        if tenant_id is not None and recording_id is not None:
            folders = [self._folder / folder_of(tenant_id, recording_id)]
        else:
            folders = await _in_thread(lambda: list(self._folder.glob(f"{tenant_id or '*'}/*")))
        for folder in folders:
            for name in await _in_thread(partial(_names, folder)):
                if is_key(key := f"{folder.parent.name}/{folder.name}/{name}") and is_of(key, recording_id):
                    yield key

    async def tombstones(self) -> AsyncIterator[RecordingId]:
        """Yield of which recordings there is a tombstone."""
        folders = await _in_thread(lambda: list((self._folder / TOMBSTONES).glob("*")))
        for folder in folders:
            for name in await _in_thread(partial(_names, folder)):
                if recording_id := tombstone_of_key(f"{TOMBSTONES}/{folder.name}/{name}"):
                    yield recording_id

    async def sweep_unfinished(self, older_than: timedelta) -> int:
        """Remove temporary files that are older; return how many those were."""
        return await _in_thread(lambda: self._sweep(older_than))

    @property
    def advice(self) -> str:
        """Return nothing: a folder needs no rules of its own."""
        return ""

    async def open(self, key: str, *, reads: tuple[int, int] | None = None) -> DiskFile:
        """Open for reading, or raise `NotFound`. What will be read is of no use here."""
        return DiskFile(self.descriptor(key))

    def descriptor(self, key: str) -> int:
        """Open for reading, or raise `NotFound`: the `LocalVault` port."""
        target = f"{self._root}/{check_key(key)}"  # a Path would cost as much as the opening
        try:
            return os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound("The vault has no such file.") from None
        except OSError as error:
            raise _unavailable(error) from error

    def is_at_hand(self, descriptor: int, offset: int, length: int) -> bool:
        """Say whether both ends of these bytes are in the system's memory; where nobody can tell, yes."""
        return _is_in_memory(descriptor, offset, length)

    async def presign(self, key: str, lifetime: timedelta) -> str | None:
        """Return None: files of a disk have no address."""
        return None

    @property
    def origin(self) -> str:
        """Return nothing: `presign` gives no address."""
        return ""

    async def delete(self, key: str) -> None:
        """Remove it, durably; a missing one is fine."""
        target = self._path(key)
        await _in_thread(lambda: _delete(target))

    async def ping(self) -> None:
        """Write, read and delete a small file, or raise `VaultUnavailable` saying what is wrong."""
        await _in_thread(self._ping)

    def _path(self, key: str) -> Path:
        return self._folder / check_key(key)

    def _put(self, target: Path, source: Path) -> None:
        _make_folders(target.parent, self._folder)
        _fsync(source)
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            _check_same(target, source)
        except OSError as error:
            if error.errno not in _CANNOT_LINK:
                raise
            self._copy(target, source)
        _fsync(target.parent)

    def _put_bytes(self, target: Path, data: bytes) -> None:
        _make_folders(target.parent, self._folder)
        self._write(target, io.BytesIO(data))
        _fsync(target.parent)

    def _copy(self, target: Path, source: Path) -> None:
        with source.open("rb") as original:
            self._write(target, original)

    def _write(self, target: Path, original: BinaryIO) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._temporary)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as copy:
                shutil.copyfileobj(original, copy, 1024 * 1024)
                copy.flush()
                os.fsync(copy.fileno())
            _name(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def _ping(self) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._temporary)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                file.write(b"callspool")
                file.flush()
                os.fsync(file.fileno())
                file.seek(0)
                if file.read() != b"callspool":
                    raise VaultUnavailable(f"The vault {self._folder} does not give back what was written.")
        finally:
            Path(name).unlink(missing_ok=True)

    def _sweep(self, older_than: timedelta) -> int:
        """Remove old temporary files; "old" by the filesystem's own clock."""
        count = 0
        with tempfile.NamedTemporaryFile(dir=self._temporary) as probe:
            now = os.fstat(probe.fileno()).st_mtime
            for path in self._temporary.iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if now - path.stat().st_mtime > older_than.total_seconds():
                        path.unlink()
                        count += 1
        return count


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise _unavailable(error) from error


def _unavailable(error: OSError) -> VaultUnavailable:
    return VaultUnavailable(f"The vault cannot be used: {error.strerror or error} ({error.filename or 'no path'}).")


def _is_in_memory(descriptor: int, offset: int, length: int) -> bool:
    """Say whether both ends of these bytes can be read without a wait for the disk; where nobody can tell, yes."""
    if _NO_WAIT is None or not length:
        return True
    byte = bytearray(1)
    try:
        for at in (offset, offset + length - 1):
            os.preadv(descriptor, [byte], at, _NO_WAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True  # this filesystem cannot; what is wrong besides, the read itself tells
    return True


def _read_all(descriptor: int, offset: int, length: int) -> bytes:
    data = os.pread(descriptor, length, offset)
    while len(data) < length and (more := os.pread(descriptor, length - len(data), offset + len(data))):
        data += more  # a signal may cut a read short
    return data


def _read_and_close(descriptor: int, offset: int, length: int) -> bytes:
    try:
        return _read_all(descriptor, offset, length)
    finally:
        os.close(descriptor)


def _name(temporary: Path, target: Path) -> None:
    """Let the finished file appear under its name, unless there is one."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        _check_same(target, temporary)
    except OSError as error:
        if error.errno not in _CANNOT_LINK:
            raise
        # A filesystem without links. Two who look at once bear the same attempt, so the same content.
        if target.exists():
            _check_same(target, temporary)
        else:
            temporary.replace(target)


def _check_same(target: Path, other: Path) -> None:
    if not filecmp.cmp(target, other, shallow=False):
        raise VaultUnavailable(
            f"The vault has something else under {target}. It is not replaced: find out who wrote it."
        )


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []  # deleted meanwhile, or not ours


def _make_folders(folder: Path, root: Path) -> None:
    """Make *folder* below *root*, each durable in its parent: a name in a lost folder would be lost with it."""
    missing = []
    while folder != root and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        _fsync(path.parent)


def _delete(target: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        target.unlink()
        _fsync(target.parent)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
