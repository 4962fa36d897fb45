"""An object that is read: one ranged request for what is read from one place to another, however small the steps.

A player asks for a range, and that is read in steps of the response. The storage sends all of it with its first answer,
which also says whether the object is there and how long it is; the steps take from that. What breaks off, because a
player paused for too long or a connection went, is asked for again from where it is needed.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from callspool.domain.errors import VaultUnavailable

_STEP: Final = 256 * 1024


class Translated(Protocol):
    """Turns the library's errors into ours while a block runs."""

    def __call__(self) -> AbstractAsyncContextManager[None]:
        """Begin."""
        ...


class _Coming:
    """What one ranged request brings."""

    def __init__(self, stream: AsyncIterator[bytes], start: int, end: int) -> None:
        self._stream = stream
        self._rest = b""
        self.at = start
        self.end = end

    async def take(self, count: int) -> bytes:
        """Return so many bytes; fewer where it ended early."""
        data = self._rest
        while len(data) < count:
            try:
                data += bytes(await anext(self._stream))
            except StopAsyncIteration:
                break
        data, self._rest = data[:count], data[count:]
        self.at += len(data)
        return data


class S3File:
    """An object that was there when it was opened: the `VaultFile` port."""

    def __init__(self, store: S3Store, path: str, size: int, translated: Translated) -> None:
        self._store = store
        self._path = path
        self._size = size
        self._translated = translated
        self._coming: _Coming | None = None

    @classmethod
    async def open(cls, store: S3Store, path: str, start: int, end: int, translated: Translated) -> "S3File":
        """Open it by asking for what will be read first. Raises `FileNotFoundError`."""
        got = await obstore.get_async(store, path, options={"range": (start, end)})
        file = cls(store, path, got.meta["size"], translated)
        file._coming = _Coming(aiter(got.stream(min_chunk_size=_STEP)), start, end)
        return file

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    async def read(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end."""
        end = min(offset + length, self._size)
        if offset >= end:
            return b""
        async with self._translated():
            coming = self._coming
            if coming is not None and coming.at == offset and end <= coming.end:
                data = await self._take(coming, offset, end)
            else:
                data = bytes(await obstore.get_range_async(self._store, self._path, start=offset, end=end))
        if len(data) != end - offset:
            raise VaultUnavailable(f"The object {self._path} is not as long as it was: something replaced it.")
        return data

    async def _take(self, coming: _Coming, offset: int, end: int) -> bytes:
        try:
            return await coming.take(end - offset)
        except (BaseError, OSError):
            again = await obstore.get_async(self._store, self._path, options={"range": (offset, coming.end)})
            self._coming = _Coming(aiter(again.stream(min_chunk_size=_STEP)), offset, coming.end)
            return await self._coming.take(end - offset)

    async def close(self) -> None:
        """Break off what still comes."""
        self._coming = None
