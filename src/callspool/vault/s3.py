"""The vault in an S3-compatible object storage.

An object is there whole or not at all, and what is there under a key is never replaced: a key holds the attempt, so two
contents under one key would be a defect, and the second is refused. Each upload carries a SHA-256 that the storage
checks. A failed or cancelled upload is given up while the storage can be reached. What else a large one leaves (its
worker was killed, its connection stayed away) is swept later (`vault.uploads`), where the settings hold the keys that
sign it; with the machine's own credentials it is the bucket's to remove: `S3Vault.advice`.
"""

import asyncio
import contextlib
import io
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from callspool.domain.errors import NotFound, VaultUnavailable
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.ports.clock import Clock
from callspool.vault import s3parts, uploads
from callspool.vault.keys import TOMBSTONES, check_key, folder_of, is_key, is_of, parse_key, tombstone_of_key
from callspool.vault.s3file import S3File
from callspool.vault.s3signed import Bucket, requests_to

if TYPE_CHECKING:
    from obstore import Attributes
    from obstore.store import S3Config  # the stubs have it, the library does not

PART_BYTES: Final = 8 << 20
_PARTS_AT_ONCE: Final = 2
"""With the size of a part the most memory that an upload takes."""
_READ_BYTES: Final = 1 << 20
_PING: Final = "ping"
_TYPES: Final = {"wav": "audio/wav", "mp3": "audio/mpeg", "opus": "audio/ogg", "m4a": "audio/mp4"}


class S3Vault:
    """Finished recordings in a bucket: the `Vault` port."""

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint: str = "",
        region: str = "us-east-1",
        access_key: str = "",
        secret_key: str = "",
        timeout: timedelta = timedelta(seconds=30),
        clock: Clock | None = None,
    ) -> None:
        """Without keys those of the machine are used (the environment's, or an instance role).

        Unfinished uploads are swept only with keys, and a *clock* that tells their age.
        """
        address = endpoint.rstrip("/") or f"https://s3.{region}.amazonaws.com"
        parts = urlsplit(address)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        """Where `presign` leads."""
        self._timeout = timeout
        self._clock = clock
        self._bucket = Bucket(address, bucket, prefix, region, access_key, secret_key)
        config: S3Config = {"region": region, "checksum_algorithm": "SHA256"}
        if access_key:
            config |= {"access_key_id": access_key, "secret_access_key": secret_key}
        if endpoint:
            config |= {"endpoint": endpoint}
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            config=config,
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": timeout, "connect_timeout": "5s"},
            # A put is repeated from the spool by the job's own retry; a read by whoever plays.
            retry_config={"max_retries": 2, "retry_timeout": timeout},
        )

    async def put(self, key: str, source: Path) -> None:
        """Store the file under *key*: durable and whole when this returns, invisible before. Same key, same file."""
        path = check_key(key)
        size = await asyncio.to_thread(_size_of, source)
        async with _translated():
            if size <= PART_BYTES:
                await self._create(path, await asyncio.to_thread(source.read_bytes))
            elif await self._has(path, size) or not await self._create_large(path, source, size):
                await self._has(path, size)
                with source.open("rb") as file:
                    await self._check_same(path, file)
            elif not await self._has(path, size):
                raise VaultUnavailable(f"The object storage took {path} and does not have it. It is put again.")

    async def put_bytes(self, key: str, data: bytes) -> None:
        """Store something small under *key*, with the promises of `put`."""
        path = check_key(key)
        async with _translated():
            await self._create(path, data)

    async def read_all(self, key: str) -> bytes:
        """Return the whole of something small, or raise `NotFound`."""
        path = check_key(key)
        async with _translated():
            try:
                got = await obstore.get_async(self._store, path)
                return bytes(await got.bytes_async())
            except FileNotFoundError:
                raise NotFound("The vault has no such file.") from None

    async def keys(
        self, tenant_id: TenantId | None = None, recording_id: RecordingId | None = None
    ) -> AsyncIterator[str]:
        """Yield every key (of a tenant, of one recording of it), in no order. What is no key of ours is passed over."""
        one_folder = tenant_id is not None and recording_id is not None
        prefix = folder_of(tenant_id, recording_id) if one_folder else tenant_id  # type: ignore[arg-type]
        async with _translated():
            async for found in obstore.list(self._store, prefix=prefix):
                for one in found:
                    if is_key(one["path"]) and is_of(one["path"], recording_id):
                        yield one["path"]

    async def tombstones(self) -> AsyncIterator[RecordingId]:
        """Yield of which recordings there is a tombstone."""
        async with _translated():
            async for found in obstore.list(self._store, prefix=TOMBSTONES):
                for one in found:
                    if recording_id := tombstone_of_key(one["path"]):
                        yield recording_id

    async def sweep_unfinished(self, older_than: timedelta) -> int | None:
        """Give up uploads that were begun longer ago; return how many, or None where they cannot be seen."""
        if self._clock is None or not self._bucket.access_key:
            return None
        return await uploads.sweep(self._bucket, older_than, clock=self._clock, patience=self._timeout)

    @property
    def advice(self) -> str:
        """Say what the bucket must do itself, where its keys are not in the settings."""
        if self._bucket.access_key:
            return ""
        return (
            "Give the bucket a lifecycle rule that aborts incomplete multipart uploads after a day: with the "
            "machine's own credentials callspool cannot sweep them."
        )

    async def _create(self, path: str, data: bytes) -> None:
        attributes = _attributes(path)
        try:
            await obstore.put_async(self._store, path, data, mode="create", use_multipart=False, attributes=attributes)
        except AlreadyExistsError:
            await self._has(path, len(data))
            await self._check_same(path, io.BytesIO(data))

    async def _check_same(self, path: str, wanted: BinaryIO) -> None:
        offset = 0
        while data := await asyncio.to_thread(wanted.read, _READ_BYTES):
            end = offset + len(data)
            if bytes(await obstore.get_range_async(self._store, path, start=offset, end=end)) != data:
                raise VaultUnavailable(
                    f"The vault has other bytes under {path}. It is not replaced: find out who wrote it."
                )
            offset = end

    async def _create_large(self, path: str, source: Path, size: int) -> bool:
        """Put it in parts; False: something came to be there meanwhile, and stays.

        With the machine's own credentials nothing can be signed here: then what is there would be replaced. See
        docs/adr/0012.
        """
        if self._clock is None or not self._bucket.access_key:
            await self._upload(path, source)
            return True
        async with requests_to(self._bucket, self._clock, self._timeout) as requests:
            return await s3parts.create(
                requests,
                self._bucket.key_of(path),
                source,
                {name.lower(): str(value) for name, value in _attributes(path).items()},
                size=size,
                part_bytes=PART_BYTES,
                at_once=_PARTS_AT_ONCE,
            )

    async def _upload(self, path: str, source: Path) -> None:
        attributes = _attributes(path)
        writer = obstore.open_writer_async(
            self._store, path, buffer_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE, attributes=attributes
        )
        # On an error, a cancellation among them, it is left without being closed, which aborts the upload.
        async with writer:
            with source.open("rb") as file:
                while data := await asyncio.to_thread(file.read, _READ_BYTES):
                    await writer.write(data)

    async def _has(self, path: str, size: int) -> bool:
        """Say whether it is there. Raises `VaultUnavailable` where something else is."""
        try:
            found = await obstore.head_async(self._store, path)
        except FileNotFoundError:
            return False
        if found["size"] != size:
            raise VaultUnavailable(
                f"The vault has {found['size']} bytes under {path} and {size} are to be stored there. "
                "It is not replaced: find out who wrote it."
            )
        return True

    async def open(self, key: str, *, reads: tuple[int, int] | None = None) -> S3File:
        """Open for reading, or raise `NotFound`. What is read first, *reads*, comes with the answer to the opening."""
        path = check_key(key)
        async with _translated():
            try:
                if reads is not None:
                    return await S3File.open(self._store, path, *reads, _translated)
                found = await obstore.head_async(self._store, path)
            except FileNotFoundError:
                raise NotFound("The vault has no such file.") from None
        return S3File(self._store, path, found["size"], _translated)

    async def delete(self, key: str) -> None:
        """Remove it; a missing one is fine."""
        path = check_key(key)
        async with _translated():
            with contextlib.suppress(FileNotFoundError):
                await obstore.delete_async(self._store, path)

    async def ping(self) -> None:
        """Write, read and delete a small object, or raise `VaultUnavailable` saying what is wrong."""
        path = f"{_PING}-{secrets.token_hex(4)}"
        async with _translated():
            await obstore.put_async(self._store, path, b"callspool", use_multipart=False)
            if bytes(await obstore.get_range_async(self._store, path, start=0, end=9)) != b"callspool":
                raise VaultUnavailable("The vault does not give back what was written.")
            await obstore.delete_async(self._store, path)

    async def presign(self, key: str, lifetime: timedelta) -> str | None:
        """Return an address under which it can be read without credentials, for that long."""
        async with _translated():
            return await obstore.sign_async(self._store, "GET", check_key(key), expires_in=lifetime)


def _size_of(source: Path) -> int:
    try:
        return source.stat().st_size
    except OSError as error:
        raise VaultUnavailable(f"The file to keep cannot be read: {error.strerror} ({source}).") from error


def _attributes(path: str) -> "Attributes":
    """Return what a player is told that is sent to the storage itself: the type, and a name to save it under."""
    if tombstone_of_key(path) is not None:
        return {"Content-Type": "application/json"}
    kind = path.rpartition(".")[2]
    name = f"{parse_key(path).recording_id}.{kind}"
    return {
        "Content-Type": _TYPES.get(kind, "application/octet-stream"),
        "Content-Disposition": f'inline; filename="{name}"',
    }


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError):
        raise VaultUnavailable(
            "The object storage refused the credentials. Check CALLSPOOL_VAULT_ACCESS_KEY, "
            "CALLSPOOL_VAULT_SECRET_KEY, and what they may do in the bucket."
        ) from None
    except FileNotFoundError:
        raise VaultUnavailable(
            "The object storage lacks what should be there: the bucket (CALLSPOOL_VAULT_URL), or an object that was "
            "deleted while it was read."
        ) from None
    except (BaseError, OSError) as error:  # a writer's errors are OSErrors
        first, _, _ = str(error).partition("\n")  # what follows are the library's own innards
        raise VaultUnavailable(f"The object storage does not answer: {first[:300]}") from None
