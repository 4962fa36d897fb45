"""A large object, put in parts and completed only where nothing is under its key.

The object storage's library puts nothing in parts on that condition, and what it puts replaces what is there. So these
few requests are made here. Each part is checked by the storage against its SHA-256.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from callspool.domain.errors import VaultUnavailable
from callspool.vault.s3signed import Answer, Requests

_TRIES: Final = 2
"""Of each part; the whole is tried again by the job."""
_GIVE_UP_TIME: Final = timedelta(seconds=5)


async def create(
    requests: Requests, key: str, source: Path, headers: Mapping[str, str], *, size: int, part_bytes: int, at_once: int
) -> bool:
    """Put *source* under *key*; False: something is there, and stays. Raises `VaultUnavailable`; `OSError` of the file.

    One that is not completed, because of an error or a cancellation, is given up while the storage can be reached.
    """
    begun = await requests.send("POST", key, {"uploads": ""}, headers={**headers, "x-amz-checksum-algorithm": "SHA256"})
    upload = {"uploadId": begun.document().findtext("{*}UploadId") or ""}
    if not upload["uploadId"]:
        raise VaultUnavailable("The object storage began no upload.")
    is_complete = False
    try:
        count = -(-size // part_bytes)
        seats = asyncio.Semaphore(at_once)
        async with asyncio.TaskGroup() as parts:
            sent = [
                parts.create_task(_send(requests, key, source, upload, number, part_bytes, seats))
                for number in range(1, count + 1)
            ]
        is_complete = await _complete(requests, key, upload, [task.result() for task in sent])
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    finally:
        if not is_complete:
            await _give_up(requests, key, upload)
    return is_complete


async def _send(
    requests: Requests,
    key: str,
    source: Path,
    upload: Mapping[str, str],
    number: int,
    part_bytes: int,
    seats: asyncio.Semaphore,
) -> Answer:
    """Send one part."""
    async with seats:
        data = await asyncio.to_thread(_read, source, (number - 1) * part_bytes, part_bytes)
        for left in reversed(range(_TRIES)):
            try:
                answer = await requests.send("PUT", key, {**upload, "partNumber": str(number)}, body=data)
            except VaultUnavailable:
                if not left:
                    raise
            else:
                break
    if not answer.etag:
        raise VaultUnavailable("The object storage lost an upload in parts. It is put again.")
    return answer


async def _complete(requests: Requests, key: str, upload: Mapping[str, str], parts: list[Answer]) -> bool:
    named = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(part.etag)}</ETag>"
        f"<ChecksumSHA256>{part.checksum}</ChecksumSHA256></Part>"
        for number, part in enumerate(parts, 1)
    )
    body = f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode()
    answer = await requests.send("POST", key, upload, body=body, headers={"if-none-match": "*"})
    if answer.status == 412:
        return False
    # An error may come after the status: the storage takes its time, and says 200 first.
    if answer.status != 200 or not answer.document().tag.endswith("CompleteMultipartUploadResult"):
        raise VaultUnavailable("The object storage did not complete an upload. It is put again.")
    return True


async def _give_up(requests: Requests, key: str, upload: Mapping[str, str]) -> None:
    """Leave nothing behind, also when the task itself is being cancelled."""
    giving_up = asyncio.ensure_future(requests.send("DELETE", key, upload))
    with contextlib.suppress(VaultUnavailable, TimeoutError):
        async with asyncio.timeout(_GIVE_UP_TIME.total_seconds()):
            await giving_up


def _read(source: Path, offset: int, length: int) -> bytes:
    with source.open("rb") as file:
        file.seek(offset)
        return file.read(length)
