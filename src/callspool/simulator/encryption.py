"""Encrypt recordings as the provider does: AES-256-GCM with a key of their own, wrapped for the customer's public key.

The same recording is encrypted with the same key each time it is asked for, so that a download can go on after a break.
"""

import base64
import functools
import hashlib
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from callspool.simulator.library import Audio, read_all
from callspool.simulator.world import Recording


class Encrypted:
    """A whole encrypted file, its tag at the end."""

    def __init__(self, audio: Audio, key: bytes, iv: bytes) -> None:
        self._data = AESGCM(key).encrypt(iv, read_all(audio), None)
        self.size = len(self._data)
        self.content_type = audio.content_type
        self.etag = f'"e{audio.etag[2:]}'

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from *start* to before *stop*."""
        return self._data[start:stop]


def encrypt(recording: Recording, audio: Audio) -> Audio:
    """Return the file as it is sent."""
    return Encrypted(audio, *_secrets(recording.sid)) if recording.public_key else audio


def details_of(recording: Recording) -> str | None:
    """Return what a callback says of the encryption."""
    if recording.public_key is None:
        return None
    _, iv = _secrets(recording.sid)
    return json.dumps(
        {
            "public_key_sid": recording.public_key.sid,
            "encrypted_cek": _wrapped(recording.sid, recording.public_key.pem),
            "iv": base64.b64encode(iv).decode(),
        }
    )


def _secrets(sid: str) -> tuple[bytes, bytes]:
    return hashlib.sha256(f"key of {sid}".encode()).digest(), hashlib.sha256(f"iv of {sid}".encode()).digest()[:12]


@functools.lru_cache(maxsize=1000)
def _wrapped(sid: str, pem: str) -> str:
    public = load_pem_public_key(pem.encode())
    if not isinstance(public, rsa.RSAPublicKey):
        raise TypeError("recordings are encrypted with RSA keys only")
    scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return base64.b64encode(public.encrypt(_secrets(sid)[0], scheme)).decode()
