"""What writers left unfinished is removed, once it is old, and nothing else."""

import hashlib
import os
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from callspool.domain.errors import VaultUnavailable
from callspool.domain.ids import RecordingId, TenantId
from callspool.vault.disk import DiskVault
from callspool.vault.keys import rendition_key, vault_key
from callspool.vault.s3 import S3Vault
from callspool.vault.s3signed import Bucket, sign
from tests.fixtures.memory import RealTime
from tests.fixtures.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server

ACME = TenantId("acme")
FIRST = RecordingId("rec_" + "0193a4b5c6d77e8f90a1b2c3d4e5f607")
SECOND = RecordingId("rec_" + "0193a4b5c6d77e8f90a1b2c3d4e5f608")
KEY = vault_key(ACME, FIRST, 1, "wav")


def s3_vault(server: S3Server, prefix: str, **given: object) -> S3Vault:
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "clock": RealTime()}
    return S3Vault(BUCKET, prefix=prefix, endpoint=server.url, **{**keys, **given})  # type: ignore[arg-type]


def begin_upload(server: S3Server, key: str) -> None:
    """Begin an upload in parts, as a worker does that is killed then."""
    urllib.request.urlopen(urllib.request.Request(f"{server.url}/{BUCKET}/{key}?uploads", method="POST"), timeout=10)


def uploads(server: S3Server, prefix: str) -> set[str]:
    with urllib.request.urlopen(f"{server.url}/{BUCKET}?uploads", timeout=10) as answer:
        keys = re.findall("<Key>(.*?)</Key>", answer.read().decode())
    return {key for key in keys if key.startswith(prefix)}


async def test_uploads_that_nobody_ends_are_given_up_once_they_are_old(s3_server: S3Server, s3_prefix: str) -> None:
    vault, other = s3_vault(s3_server, s3_prefix), f"{s3_prefix}/not a key/x.wav"
    ours = {f"{s3_prefix}/{key}" for key in (KEY, vault_key(ACME, SECOND, 2, "mp3"))}
    for key in (*ours, f"{s3_prefix}-two/{KEY}"):
        begin_upload(s3_server, key)
    begin_upload(s3_server, other.replace(" ", "%20"))
    await vault.put_bytes(KEY, b"kept")

    assert await vault.sweep_unfinished(timedelta(hours=1)) == 0
    assert uploads(s3_server, f"{s3_prefix}/") >= ours

    assert await vault.sweep_unfinished(timedelta(0)) == 2
    assert uploads(s3_server, f"{s3_prefix}/") == {other}
    assert uploads(s3_server, f"{s3_prefix}-two/") == {f"{s3_prefix}-two/{KEY}"}
    assert await vault.read_all(KEY) == b"kept"
    assert await vault.sweep_unfinished(timedelta(0)) == 0


async def test_credentials_that_may_not_sweep_say_what_they_need(s3_server: S3Server, s3_prefix: str) -> None:
    with pytest.raises(VaultUnavailable, match="abort multipart uploads"):
        await s3_vault(s3_server, s3_prefix, secret_key="another").sweep_unfinished(timedelta(0))


async def test_without_keys_the_operator_is_told_what_the_bucket_must_do(s3_server: S3Server, s3_prefix: str) -> None:
    vault = s3_vault(s3_server, s3_prefix, access_key="", secret_key="")
    assert await vault.sweep_unfinished(timedelta(0)) is None
    assert "lifecycle rule" in vault.advice
    assert s3_vault(s3_server, s3_prefix).advice == ""


async def test_old_temporary_files_of_a_folder_are_removed(tmp_path: Path) -> None:
    vault = DiskVault(tmp_path / "vault")
    old, fresh = (tmp_path / "vault" / ".tmp" / name for name in ("old", "fresh"))
    for path in (old, fresh):
        path.write_bytes(b"part")
    os.utime(old, (0, 0))
    assert await vault.sweep_unfinished(timedelta(days=1)) == 1
    assert (old.exists(), fresh.exists(), vault.advice) == (False, True, "")


@pytest.mark.parametrize("kind", ["disk", "s3"])
async def test_all_that_is_of_one_recording_is_listed(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, s3_prefix: str
) -> None:
    vault = (
        DiskVault(tmp_path / "vault") if kind == "disk" else s3_vault(request.getfixturevalue("s3_server"), s3_prefix)
    )
    mine = {KEY, rendition_key(KEY, "peaks"), vault_key(ACME, FIRST, 12, "mp3")}
    for key in (*mine, vault_key(ACME, SECOND, 1, "wav"), vault_key(TenantId("bravo"), FIRST, 1, "wav")):
        await vault.put_bytes(key, b"x")
    assert {key async for key in vault.keys(ACME, FIRST)} == mine
    assert [key async for key in vault.keys(TenantId("nobody"), FIRST)] == []


async def test_a_player_that_is_sent_to_the_storage_gets_type_and_name(
    s3_server: S3Server, s3_prefix: str, tmp_path: Path
) -> None:
    vault = s3_vault(s3_server, s3_prefix)
    small, large = vault_key(ACME, FIRST, 1, "mp3"), vault_key(ACME, SECOND, 1, "wav")
    for key, size in ((small, 10), (large, 9 << 20)):
        (tmp_path / "source").write_bytes(bytes(size))
        await vault.put(key, tmp_path / "source")
    async with httpx.AsyncClient(trust_env=False) as client:
        for key, content_type, name in (
            (small, "audio/mpeg", f"{FIRST}.mp3"),
            (large, "audio/wav", f"{SECOND}.wav"),
        ):
            address = await vault.presign(key, timedelta(minutes=1))
            assert address is not None
            assert address.startswith(vault.origin + "/")
            answer = await client.get(address, headers={"range": "bytes=0-1"})
            assert answer.status_code == 206
            assert answer.headers["content-type"] == content_type
            assert answer.headers["content-disposition"] == f'inline; filename="{name}"'


def test_a_request_is_signed_as_amazon_s_own_example_is() -> None:
    """It is that of a bucket's lifecycle, in the documentation of Signature Version 4."""
    bucket = Bucket(
        endpoint="https://examplebucket.s3.amazonaws.com",
        name="",
        prefix="",
        region="us-east-1",
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    signed = sign(
        bucket, datetime(2013, 5, 24, tzinfo=UTC), "GET", "/", "lifecycle=", hashlib.sha256(b"").hexdigest(), {}
    )
    assert signed["authorization"].endswith(
        "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    )
