"""Seals provider credentials, so that a stolen database or dump gives none away.

AES-256-GCM with a random nonce. What belongs where is authenticated with it: a sealed value that is moved to
another row, field or table does not open.
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from callspool.domain.errors import Misconfigured

KEY_VERSION: Final = 1
"""Which key sealed a value: its first byte. Another key, or another way to seal, gets another number."""

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Envelope:
    """Seals and opens with a key of its own, derived from the installation's secret key."""

    def __init__(self, secret_key: bytes) -> None:
        if len(secret_key) != _KEY_BYTES:
            raise Misconfigured(
                f"The secret key has {len(secret_key)} bytes; it must have {_KEY_BYTES}. "
                "Give CALLSPOOL_SECRET_KEY_FILE a file of 64 hex digits."
            )
        derive = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=b"callspool/store/envelope")
        self._cipher = AESGCM(derive.derive(secret_key))

    def seal(self, text: str, *, table: str, row: str, field: str) -> bytes:
        """Return *text* sealed for this place."""
        nonce = os.urandom(_NONCE_BYTES)
        version = bytes([KEY_VERSION])
        return version + nonce + self._cipher.encrypt(nonce, text.encode(), _place(table, row, field, KEY_VERSION))

    def open(self, sealed: bytes, *, table: str, row: str, field: str) -> str:
        """Return the text, or raise `Misconfigured`: another key sealed it, or it was altered or moved."""
        version, nonce, text = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            place = _place(table, row, field, int.from_bytes(version, "big"))
            return self._cipher.decrypt(nonce, text, place).decode()
        except (InvalidTag, ValueError):
            raise Misconfigured(
                f"The {field} of {row!r} in {table} does not open with this secret key. "
                "Start with the secret key file that the database was made with (CALLSPOOL_SECRET_KEY_FILE), "
                "or restore it from your backup."
            ) from None


def _place(table: str, row: str, field: str, version: int) -> bytes:
    return "\0".join((table, row, field, str(version))).encode()
