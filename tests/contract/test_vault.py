"""What every vault must keep. Another kind of vault is another parameter of the fixture."""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from callspool.domain.errors import InvalidInput, NotFound, VaultUnavailable
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.ports.vault import Vault
from callspool.vault.disk import DiskVault
from callspool.vault.keys import rendition_key, vault_key
from callspool.vault.s3 import S3Vault
from tests.fixtures.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server

ACME = TenantId("acme")
FIRST = RecordingId("rec_" + "0193a4b5c6d77e8f90a1b2c3d4e5f607")
SECOND = RecordingId("rec_" + "0193a4b5c6d77e8f90a1b2c3d4e5f608")
KEY = vault_key(ACME, FIRST, 1, "wav")


@pytest.fixture(params=["disk", "s3"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    if request.param == "disk":
        return DiskVault(tmp_path / "vault")
    server: S3Server = request.getfixturevalue("s3_server")
    return S3Vault(
        BUCKET,
        prefix=request.getfixturevalue("s3_prefix"),
        endpoint=server.url,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
    )


@pytest.fixture
def source(tmp_path: Path) -> Callable[[bytes], Path]:
    folder = tmp_path / "source"
    folder.mkdir()

    def write(data: bytes) -> Path:
        path = folder / hashlib.sha256(data).hexdigest()
        path.write_bytes(data)
        return path

    return write


async def read_whole(vault: Vault, key: str) -> bytes:
    file = await vault.open(key)
    try:
        return await file.read(0, file.size)
    finally:
        await file.close()


@pytest.mark.rule("I3")
@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000, 20_000_000])
async def test_what_was_put_is_read_back_byte_for_byte(
    vault: Vault, source: Callable[[bytes], Path], size: int
) -> None:
    data = bytes(n * 7 % 251 for n in range(min(size, 251 * 4))) * (size // (251 * 4) + 1)
    data = data[:size]
    await vault.put(KEY, source(data))
    assert await read_whole(vault, KEY) == data


async def test_a_file_outlives_its_source(vault: Vault, source: Callable[[bytes], Path]) -> None:
    path = source(b"spoken")
    await vault.put(KEY, path)
    path.unlink()
    assert await read_whole(vault, KEY) == b"spoken"


async def test_a_source_that_is_gone_is_unavailable_and_leaves_nothing(vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(VaultUnavailable):
        await vault.put(KEY, tmp_path / "gone")
    with pytest.raises(NotFound):
        await vault.open(KEY)


async def test_ranges_are_read_and_end_at_the_end(vault: Vault, source: Callable[[bytes], Path]) -> None:
    data = bytes(range(256)) * 2000
    await vault.put(KEY, source(data))
    file = await vault.open(KEY)
    assert file.size == len(data)
    for offset, length in [(0, 1), (5, 10), (len(data) - 3, 100), (len(data), 10), (len(data) + 9, 10), (1, 400_000)]:
        assert await file.read(offset, length) == data[offset : offset + length]
    await file.close()
    await file.close()


async def test_many_readers_and_ranges_at_once_see_their_own_bytes(
    vault: Vault, source: Callable[[bytes], Path]
) -> None:
    data = bytes(n * 13 % 256 for n in range(2_000_000))
    await vault.put(KEY, source(data))
    file = await vault.open(KEY)
    spans = [(n * 41_000, 300_000 if n % 2 else 500) for n in range(40)]
    found = await asyncio.gather(*(file.read(offset, length) for offset, length in spans))
    assert found == [data[offset : offset + length] for offset, length in spans]
    await file.close()


async def test_a_file_that_was_open_when_it_was_deleted_gives_its_own_bytes_or_none(
    vault: Vault, source: Callable[[bytes], Path]
) -> None:
    await vault.put(KEY, source(b"spoken"))
    file = await vault.open(KEY)
    await vault.delete(KEY)
    if isinstance(vault, DiskVault):
        assert await file.read(0, 6) == b"spoken"
    else:
        with pytest.raises(VaultUnavailable, match="deleted while it was read"):
            await file.read(0, 6)
    await file.close()


async def test_a_missing_file_is_not_found(vault: Vault) -> None:
    with pytest.raises(NotFound):
        await vault.open(KEY)


async def test_deletion_can_be_repeated(vault: Vault, source: Callable[[bytes], Path]) -> None:
    await vault.put(KEY, source(b"spoken"))
    await vault.delete(KEY)
    await vault.delete(KEY)
    with pytest.raises(NotFound):
        await vault.open(KEY)


async def test_the_same_file_can_be_put_again(vault: Vault, source: Callable[[bytes], Path]) -> None:
    await vault.put(KEY, source(b"spoken"))
    await vault.put(KEY, source(b"spoken"))
    assert await read_whole(vault, KEY) == b"spoken"


@pytest.mark.rule("I3", "I4")
@pytest.mark.parametrize("size", [6, 20_000_000])
@pytest.mark.parametrize("longer", [0, 1])
async def test_other_content_under_a_key_that_is_there_is_refused(
    vault: Vault, source: Callable[[bytes], Path], size: int, longer: int
) -> None:
    await vault.put(KEY, source(b"a" * size))
    with pytest.raises(VaultUnavailable, match="not replaced"):
        await vault.put(KEY, source(b"a" * (size - 1) + b"b" * (1 + longer)))
    assert await read_whole(vault, KEY) == b"a" * size


@pytest.mark.parametrize("size", [0, 1, 300_000])
async def test_bytes_are_kept_beside_a_recording_and_read_back(
    vault: Vault, source: Callable[[bytes], Path], size: int
) -> None:
    peaks, data = rendition_key(KEY, "peaks"), b"p" * size
    await vault.put(KEY, source(b"spoken"))
    await vault.put_bytes(peaks, data)
    await vault.put_bytes(peaks, data)
    assert await vault.read_all(peaks) == data
    assert await vault.read_all(KEY) == b"spoken"
    with pytest.raises(VaultUnavailable, match="not replaced"):
        await vault.put_bytes(peaks, b"else" + data)
    await vault.delete(peaks)
    with pytest.raises(NotFound):
        await vault.read_all(peaks)


async def test_all_keys_or_a_tenants_are_listed(vault: Vault) -> None:
    acme = {KEY, rendition_key(KEY, "peaks"), vault_key(ACME, SECOND, 3, "mp3")}
    # Its name begins as the other's does.
    other = vault_key(TenantId("acme-two"), FIRST, 1, "wav")
    for key in (*acme, other):
        await vault.put_bytes(key, b"x")
    assert {key async for key in vault.keys(None)} == {*acme, other}
    assert {key async for key in vault.keys(ACME)} == acme
    assert [key async for key in vault.keys(TenantId("nobody"))] == []


@pytest.mark.rule("F24", "I4")
async def test_two_recordings_and_two_attempts_are_four_files(vault: Vault, source: Callable[[bytes], Path]) -> None:
    keys = [vault_key(ACME, recording, attempt, "wav") for recording in (FIRST, SECOND) for attempt in (1, 2)]
    for key in keys:
        await vault.put(key, source(key.encode()))
    await vault.delete(keys[0])
    for key in keys[1:]:
        assert await read_whole(vault, key) == key.encode()


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "../x", "acme/../../x", KEY + "/..", "acme/" + KEY, KEY + "\x00", KEY.upper(), KEY + "\n"],
)
async def test_a_key_of_another_form_reaches_nothing(vault: Vault, source: Callable[[bytes], Path], key: str) -> None:
    with pytest.raises(InvalidInput):
        await vault.put(key, source(b"x"))
    with pytest.raises(InvalidInput):
        await vault.open(key)
    with pytest.raises(InvalidInput):
        await vault.delete(key)
    with pytest.raises(InvalidInput):
        await vault.put_bytes(key, b"x")
    with pytest.raises(InvalidInput):
        await vault.read_all(key)


async def test_an_address_without_credentials_gives_the_file_where_there_is_one(
    vault: Vault, source: Callable[[bytes], Path]
) -> None:
    await vault.put(KEY, source(b"spoken"))
    address = await vault.presign(KEY, timedelta(minutes=1))
    if address is not None:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(address, headers={"range": "bytes=1-3"})
        assert (answer.status_code, answer.content) == (206, b"pok")


async def test_ping_answers_and_leaves_nothing(vault: Vault, tmp_path: Path) -> None:
    await vault.ping()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
