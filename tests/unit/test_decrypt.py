"""Encrypted recordings: decrypted on the way, whole or not at all."""

import hashlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from callspool.domain.errors import FetchFailed
from callspool.domain.reasons import Reason
from callspool.domain.recording import Encryption
from callspool.domain.tenant import Account, PrivateKey
from callspool.fetch.decrypt import Decryptor
from callspool.fetch.download import Downloaded, Limits, download
from callspool.fetch.spool import Spool, SpoolFile
from callspool.providers.twilio import Twilio
from tests.fixtures import made
from tests.fixtures.wire import Answer, Asked, Reply, Wire, serve

PLAIN = bytes(n * 31 % 253 for n in range(300_000))
KEY, IV = bytes(range(32)), bytes(range(12))
SEALED = AESGCM(KEY).encrypt(IV, PLAIN, None)
SID = "CR" + "a" * 32


def new_key() -> tuple[PrivateKey, rsa.RSAPublicKey]:
    private = rsa.generate_private_key(65537, 2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return PrivateKey(SID, pem.decode()), private.public_key()


OURS, PUBLIC = new_key()
WRAPPED = PUBLIC.encrypt(KEY, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
ENCRYPTION = Encryption(SID, WRAPPED, IV)


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    twilio = Twilio(stall_timeout=timedelta(seconds=5))
    yield twilio
    await twilio.close()


@pytest.fixture
def file(tmp_path: Path) -> SpoolFile:
    return Spool(tmp_path, "w1").open(made.recording().id, 1)


async def fetch(
    twilio: Twilio, file: SpoolFile, answer: Answer, encryption: Encryption = ENCRYPTION, **account: object
) -> tuple[Downloaded, Wire]:
    async with serve(answer) as wire:
        ours: Account = made.account(base_url=wire.url, **{"private_keys": (OURS,), **account})
        recording = made.recording(encryption=encryption)
        got = await download(twilio, ours, recording, file, Limits(timedelta(seconds=20), 0))
    return got, wire


def sends(data: bytes) -> Answer:
    return lambda asked, reply: reply.whole("200 OK", data)


async def test_what_is_kept_is_what_was_encrypted(twilio: Twilio, file: SpoolFile) -> None:
    got, _ = await fetch(twilio, file, sends(SEALED))
    assert file.path.read_bytes() == PLAIN
    assert (got.size, got.sha256) == (len(PLAIN), hashlib.sha256(PLAIN).hexdigest())


@pytest.mark.rule("S9", "I3")
async def test_a_broken_encrypted_download_goes_on_where_the_ciphertext_broke(twilio: Twilio, file: SpoolFile) -> None:
    breaks = iter([100_001, 250_000])

    async def answer(asked: Asked, reply: Reply) -> None:
        begin = int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        headers = {"ETag": '"v1"', "Content-Length": str(len(SEALED) - begin)}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(SEALED) - 1}/{len(SEALED)}"
        end = next(breaks, len(SEALED))
        await reply.send("206 Partial Content" if begin else "200 OK", headers, SEALED[begin:end])

    _, wire = await fetch(twilio, file, answer)
    assert file.path.read_bytes() == PLAIN
    assert [asked.headers.get("range") for asked in wire.asked] == [None, "bytes=100001-", "bytes=250000-"]


@pytest.mark.rule("I3")
async def test_one_that_begins_again_is_decrypted_from_the_start(twilio: Twilio, file: SpoolFile) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        # If-Range does not hold any more: another file, all of it.
        headers = {"ETag": '"v2"' if "range" in asked.headers else '"v1"', "Content-Length": str(len(SEALED))}
        await reply.send("200 OK", headers, SEALED if "range" in asked.headers else SEALED[:70_000])

    await fetch(twilio, file, answer)
    assert file.path.read_bytes() == PLAIN


@pytest.mark.rule("I3")
@pytest.mark.parametrize(
    "data",
    [
        SEALED[:1000] + bytes([SEALED[1000] ^ 1]) + SEALED[1001:],
        SEALED[:-1] + bytes([SEALED[-1] ^ 1]),
        SEALED[:-100],
        SEALED[:10],
        b"",
        PLAIN,
    ],
    ids=["altered", "tag-altered", "cut", "shorter-than-a-tag", "empty", "not-encrypted"],
)
async def test_what_does_not_decrypt_is_refused(twilio: Twilio, file: SpoolFile, data: bytes) -> None:
    with pytest.raises(FetchFailed) as failed:
        await fetch(twilio, file, sends(data))
    assert failed.value.reason is Reason.UNDECRYPTABLE


async def test_an_unknown_key_is_named_and_nothing_is_downloaded(twilio: Twilio, file: SpoolFile) -> None:
    other = Encryption("CR" + "b" * 32, WRAPPED, IV)
    with pytest.raises(FetchFailed) as failed:
        await fetch(twilio, file, sends(SEALED), other)
    assert failed.value.reason is Reason.NO_PRIVATE_KEY
    assert "CR" + "b" * 32 in failed.value.detail


async def test_keys_of_a_rotation_are_told_apart_by_their_id(twilio: Twilio, file: SpoolFile) -> None:
    newer = PrivateKey("CR" + "c" * 32, new_key()[0].pem)
    await fetch(twilio, file, sends(SEALED), private_keys=(newer, OURS))
    assert file.path.read_bytes() == PLAIN


async def test_another_key_under_the_same_id_does_not_open_it(twilio: Twilio, file: SpoolFile) -> None:
    with pytest.raises(FetchFailed) as failed:
        await fetch(twilio, file, sends(SEALED), private_keys=(new_key()[0],))
    assert failed.value.reason is Reason.UNDECRYPTABLE


@given(sizes=st.lists(st.integers(0, 40), max_size=12), length=st.integers(0, 200))
def test_however_it_is_cut_into_chunks_it_is_the_same(sizes: list[int], length: int) -> None:
    plain = os.urandom(length)
    sealed = AESGCM(KEY).encrypt(IV, plain, None)
    decryptor, got, at = Decryptor(KEY, IV), b"", 0
    for size in [*sizes, len(sealed)]:
        got += decryptor.feed(sealed[at : at + size])
        at += size
    decryptor.finish()
    assert got == plain
