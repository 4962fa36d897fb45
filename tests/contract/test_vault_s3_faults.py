"""Answers of an object storage that is there but cannot serve: each becomes a sentence, none a part of a file."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from callspool.domain.errors import VaultUnavailable
from callspool.domain.ids import RecordingId, TenantId
from callspool.vault.keys import vault_key
from callspool.vault.s3 import PART_BYTES, S3Vault
from tests.fixtures.memory import RealTime
from tests.fixtures.s3 import ACCESS_KEY, SECRET_KEY, S3Server

KEY = vault_key(TenantId("acme"), RecordingId("rec_" + "0193a4b5c6d77e8f90a1b2c3d4e5f607"), 1, "wav")


def vault_at(url: str, bucket: str = "vault") -> S3Vault:
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    return S3Vault(bucket, endpoint=url, **keys, timeout=timedelta(seconds=5), clock=RealTime())


@asynccontextmanager
async def answering(status: str, headers: str = "", body: bytes = b"") -> AsyncIterator[tuple[str, list[int]]]:
    """A storage that has one answer to everything, and counts the questions."""
    asked = [0]

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked[0] += 1
        head = f"HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


async def test_storage_that_answers_503_is_asked_a_bounded_number_of_times(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"spoken")
    async with answering("503 Service Unavailable") as (url, asked):
        for call in (lambda v: v.put(KEY, tmp_path / "source"), lambda v: v.open(KEY), lambda v: v.read_all(KEY)):
            before = asked[0]
            with pytest.raises(VaultUnavailable, match="does not answer"):
                await call(vault_at(url))
            assert 1 <= asked[0] - before <= 3


@pytest.mark.rule("I3")
async def test_range_that_comes_short_is_not_taken_for_the_end(s3_server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"a" * 1000)
    (tmp_path / "short").write_bytes(b"a" * 10)
    vault = vault_at(s3_server.url)
    await vault.delete(KEY)
    await vault.put(KEY, tmp_path / "long")
    file = await vault.open(KEY)
    await vault.delete(KEY)
    await vault.put(KEY, tmp_path / "short")
    with pytest.raises(VaultUnavailable):
        await file.read(0, 1000)
    await vault.delete(KEY)


async def test_missing_bucket_says_what_to_check(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"spoken")
    body = b"<Error><Code>NoSuchBucket</Code><Message>There is no such bucket</Message></Error>"
    async with answering("404 Not Found", "content-type: application/xml\r\n", body) as (url, _):
        with pytest.raises(VaultUnavailable, match="CALLSPOOL_VAULT_URL"):
            await vault_at(url).put(KEY, tmp_path / "source")


@pytest.mark.rule("I3")
async def test_large_object_that_is_not_there_after_all_is_not_taken_for_kept(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(PART_BYTES + 1))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: (\d+)", head)
        await reader.readexactly(int(length[1]) if length else 0)
        status, body = "200 OK", b""
        if head.startswith("head"):
            status = "404 Not Found"
        elif head.startswith("post") and "?uploads" in head:
            body = b"<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>"
        elif head.startswith("post"):
            body = b'<CompleteMultipartUploadResult><ETag>"all"</ETag></CompleteMultipartUploadResult>'
        answer = f'HTTP/1.1 {status}\r\nconnection: close\r\netag: "x"\r\ncontent-length: {len(body)}\r\n\r\n'
        writer.write(answer.encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(VaultUnavailable, match="does not have it"):
            await vault_at(url).put(KEY, tmp_path / "source")
