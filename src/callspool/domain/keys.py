"""API keys: how they are made and known again. Only the SHA-256 of one is ever kept."""

import base64
import hashlib
import re
from datetime import datetime
from typing import Final

from callspool.domain.ids import TenantId
from callspool.domain.tenant import ApiKey

KEY_RANDOMNESS: Final = 40
"""Bytes that `new_key` needs: 8 for the public id, 32 for the secret."""

_KEY = re.compile(r"cs_[0-9a-f]{16}_[A-Za-z0-9_-]{43}")


def new_key(tenant_id: TenantId | None, name: str, *, now: datetime, randomness: bytes) -> tuple[ApiKey, str]:
    """Return a key to keep and its text to show once. *randomness*: `KEY_RANDOMNESS` bytes from `secrets`.

    The text is ``cs_<id in hex>_<256 bits in base64url>``: the id can be read in it, so a leaked key can be
    revoked by whoever finds it in a log.
    """
    if len(randomness) != KEY_RANDOMNESS:
        raise ValueError(f"a key needs {KEY_RANDOMNESS} random bytes, not {len(randomness)}")
    number = randomness[:8].hex()
    text = f"cs_{number}_{base64.urlsafe_b64encode(randomness[8:]).rstrip(b'=').decode()}"
    return ApiKey(f"key_{number}", tenant_id, name, hash_key(text), now), text


def hash_key(text: str) -> str:
    """Return what is kept of a key's text. Plain SHA-256 is enough: 256 random bits cannot be guessed."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_key(text: str) -> bool:
    """Say whether *text* has the form of a key."""
    return _KEY.fullmatch(text) is not None
