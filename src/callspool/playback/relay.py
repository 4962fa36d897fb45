"""How the API hears a download that a worker has under way: one signed request to that worker's spool.

Both sides prove that they hold the installation's secret: the request by its signature, the answer by a proof
made from it, so that an address that belongs to somebody else by now gives nothing. The body is chunked HTTP/1.1
with a trailer that only a recording that was kept gets: without it the stream was cut, whatever was received.
"""

import asyncio
import contextlib
import hmac
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from callspool.domain.errors import CallspoolError
from callspool.domain.ids import RecordingId

AUTHORIZATION: Final = "authorization"
PROOF: Final = "callspool-proof"
END: Final = "callspool-end"
RECEIVED: Final = "callspool-received"
EXPECTED: Final = "callspool-expected"
KEPT: Final = "kept"
"""The trailer ``callspool-end: kept`` says: these were all the bytes, and the recording is ready."""

MOST_HEAD: Final = 8 * 1024
MOST_CHUNK: Final = 1024 * 1024

_PURPOSE: Final = b"callspool spool v1"
_VALID: Final = timedelta(minutes=30)
"""Long enough for clocks that differ by minutes. It opens one attempt's spool, which is gone when that ends."""
_CONNECT: Final = timedelta(seconds=2)
_OK: Final = 200
_NOTHING: Final = "/spool"
_SCHEME = re.compile(r"Callspool ([1-9][0-9]{0,11})\.([0-9a-f]{64})")
_PATH = re.compile(r"/spool/(rec_[0-9a-f]{32})/([1-9][0-9]{0,17})(/progress)?")
_COUNT = re.compile(r"[0-9]{1,15}")
_CHUNK_SIZE = re.compile(rb"([0-9a-f]{1,8})\r\n")


class NotThere(CallspoolError):
    """The worker has nothing to be heard of this attempt, or does not answer."""

    code = "not_there"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt's download is, in bytes."""

    received: int
    expected: int | None
    """None: the provider did not say."""


class Cut(CallspoolError):
    """The stream ended, and not because the recording was whole and kept."""

    code = "cut"


def path_of(recording_id: RecordingId, attempt: int) -> str:
    """Return where a worker has what *attempt* brings."""
    return f"/spool/{recording_id}/{attempt}"


def progress_path_of(recording_id: RecordingId, attempt: int) -> str:
    """Return where a worker says how far *attempt* is."""
    return f"{path_of(recording_id, attempt)}/progress"


def read_path(path: str) -> tuple[RecordingId, int, bool] | None:
    """Return what `path_of` or, with True, `progress_path_of` was given."""
    found = _PATH.fullmatch(path)
    return (RecordingId(found[1]), int(found[2]), found[3] is not None) if found else None


class Seal:
    """Signs requests and proves answers, with a key derived from the secret and used for nothing else."""

    def __init__(self, secret_key: bytes) -> None:
        self._key = hmac.digest(secret_key, _PURPOSE, "sha256")

    def sign(self, path: str, now: datetime) -> str:
        """Return the Authorization of a request for *path*."""
        expires = int((now + _VALID).timestamp())
        return f"Callspool {expires}.{self._mac('GET', path, str(expires))}"

    def is_signed(self, authorization: str, path: str, now: datetime) -> bool:
        """Say whether `sign` made this for that path, and not too long ago."""
        found = _SCHEME.fullmatch(authorization)
        if found is None:
            return False
        is_ours = hmac.compare_digest(found[2], self._mac("GET", path, found[1]))
        return is_ours and now.timestamp() < int(found[1])

    def proof(self, authorization: str) -> str:
        """Return what shows the one who asked that the answer is from a holder of the secret."""
        return self._mac("ANSWER", authorization)

    def is_proven(self, authorization: str, proof: str) -> bool:
        """Say whether *proof* answers that very request."""
        return hmac.compare_digest(proof.encode(), self.proof(authorization).encode())

    def _mac(self, *fields: str) -> str:
        return hmac.digest(self._key, "\n".join(fields).encode(), "sha256").hex()


class Flow:
    """The bytes of one attempt, from the first, as the worker gets them."""

    def __init__(self, reader: asyncio.StreamReader, content_type: str) -> None:
        self._reader = reader
        self.content_type = content_type

    async def next(self) -> bytes | None:
        """Return what came since; None: it was all, and the recording was kept. Raises `Cut`.

        Once cancelled it is of no more use: a part of a chunk may have been read.
        """
        try:
            size = _CHUNK_SIZE.fullmatch(await self._reader.readuntil(b"\n"))
            length = int(size[1], 16) if size else MOST_CHUNK + 1
            if length > MOST_CHUNK:
                raise Cut("the worker's answer cannot be read")
            if length:
                return (await self._reader.readexactly(length + 2))[:-2]
            trailer = await _read_fields(self._reader)
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError) as error:
            raise Cut("the worker's stream broke off") from error
        if trailer.get(END) != KEPT:
            raise Cut("the worker did not keep it")
        return None


@asynccontextmanager
async def open_flow(
    address: str, recording_id: RecordingId, attempt: int, seal: Seal, now: datetime
) -> AsyncIterator[Flow]:
    """Ask the worker at *address*; wait until it has something to be heard. Raises `NotThere`."""
    authorization = seal.sign(path_of(recording_id, attempt), now)
    async with _asked(address, path_of(recording_id, attempt), authorization) as (status, fields, reader):
        if status != _OK or not seal.is_proven(authorization, fields.get(PROOF, "")):
            raise NotThere(f"the worker at {address} has nothing to be heard")
        yield Flow(reader, fields.get("content-type", ""))


async def progress_of(address: str, recording_id: RecordingId, attempt: int, seal: Seal, now: datetime) -> Progress:
    """Ask the worker at *address* how far that attempt's download is. Raises `NotThere`."""
    path = progress_path_of(recording_id, attempt)
    authorization = seal.sign(path, now)
    async with _asked(address, path, authorization) as (status, fields, _):
        received, expected = fields.get(RECEIVED, ""), fields.get(EXPECTED, "")
        is_read = status == _OK and seal.is_proven(authorization, fields.get(PROOF, ""))
        if not is_read or not _COUNT.fullmatch(received):
            raise NotThere(f"the worker at {address} downloads nothing of it")
        return Progress(int(received), int(expected) if _COUNT.fullmatch(expected) else None)


async def status_of(address: str, seal: Seal, now: datetime) -> int:
    """Ask the worker at *address* for nothing, to see whether it answers: 403 says that it holds another secret.

    Raises `NotThere`.
    """
    async with _asked(address, _NOTHING, seal.sign(_NOTHING, now)) as (status, _, _):
        return status


@asynccontextmanager
async def _asked(
    address: str, path: str, authorization: str
) -> AsyncIterator[tuple[int, Mapping[str, str], asyncio.StreamReader]]:
    """Send a request; yield the answer's status, its header, and where its body comes. Raises `NotThere`."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_CONNECT.total_seconds()):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, ValueError) as error:
        raise NotThere(f"the worker at {address} does not answer") from error
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {address}\r\n{AUTHORIZATION}: {authorization}\r\n\r\n".encode())
        try:
            status = int((await reader.readuntil(b"\n")).removeprefix(b"HTTP/1.1 ")[:3])
            fields = await _read_fields(reader)
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError) as error:
            raise NotThere(f"the worker at {address} broke off") from error
        yield status, fields, reader
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _read_fields(reader: asyncio.StreamReader) -> Mapping[str, str]:
    """Read header or trailer fields up to the empty line."""
    fields: dict[str, str] = {}
    length = 0
    while (line := await reader.readuntil(b"\n")) != b"\r\n":
        length += len(line)
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or length > MOST_HEAD:
            raise ValueError("not a header")
        fields[name.strip().lower()] = value.strip()
    return fields
