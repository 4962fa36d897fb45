"""Seals provider credentials, so that a stolen database or dump gives none away.

AES-256-GCM with a random nonce. What belongs where is authenticated with it: a sealed value that is moved to
another row, field or table does not open.
"""

import os
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from callspool.domain.errors import Misconfigured
from callspool.store.keyfile import KEY_BYTES

Keys = Callable[[], Sequence[bytes]]

KEY_VERSION: Final = 1
"""Which key sealed a value: its first byte. Another key, or another way to seal, gets another number."""

_NONCE_BYTES: Final = 12


class Envelope:
    """Seals and opens with keys of its own, derived from the installation's secret keys.

    *secret_key* is the key, or what returns the keys as they are now, the newest first: see `KeyFile`.
    """

    def __init__(self, secret_key: bytes | Keys) -> None:
        self._keys: Keys = (lambda: (secret_key,)) if isinstance(secret_key, bytes) else secret_key
        self._ciphers: dict[bytes, AESGCM] = {}
        self._cipher(self._keys()[0])

    def seal(self, text: str, *, table: str, row: str, field: str) -> bytes:
        """Return *text* sealed for this place, with the newest key."""
        nonce = os.urandom(_NONCE_BYTES)
        cipher = self._cipher(self._keys()[0])
        place = _place(table, row, field, KEY_VERSION)
        return bytes([KEY_VERSION]) + nonce + cipher.encrypt(nonce, text.encode(), place)

    def open(self, sealed: bytes, *, table: str, row: str, field: str) -> str:
        """Return the text, or raise `Misconfigured`: another key sealed it, or it was altered or moved."""
        for key in self._keys():
            text = self._try(key, sealed, table, row, field)
            if text is not None:
                return text
        raise Misconfigured(
            f"The {field} of {row!r} in {table} does not open with this secret key. "
            "Start with the secret key file that the database was made with (CALLSPOOL_SECRET_KEY_FILE), "
            "or restore it from your backup."
        )

    def is_newest(self, sealed: bytes, *, table: str, row: str, field: str) -> bool:
        """Say whether the newest key sealed it."""
        return self._try(self._keys()[0], sealed, table, row, field) is not None

    def _try(self, key: bytes, sealed: bytes, table: str, row: str, field: str) -> str | None:
        version, nonce, text = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            place = _place(table, row, field, int.from_bytes(version, "big"))
            return self._cipher(key).decrypt(nonce, text, place).decode()
        except (InvalidTag, ValueError):
            return None

    def _cipher(self, key: bytes) -> AESGCM:
        known = self._ciphers.get(key)
        if known is not None:
            return known
        if len(key) != KEY_BYTES:
            raise Misconfigured(
                f"The secret key has {len(key)} bytes; it must have {KEY_BYTES}. "
                "Give CALLSPOOL_SECRET_KEY_FILE a file of 64 hex digits."
            )
        derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"callspool/store/envelope")
        cipher = self._ciphers[key] = AESGCM(derive.derive(key))
        return cipher


def _place(table: str, row: str, field: str, version: int) -> bytes:
    return "\0".join((table, row, field, str(version))).encode()
