"""API keys: how they are made and known again. Only the SHA-256 of one is ever kept."""

import base64
import hashlib
import re
from datetime import datetime
from typing import Final

from callspool.domain.errors import InvalidInput
from callspool.domain.ids import TenantId
from callspool.domain.tenant import ALL_SCOPES, ApiKey, Scope

KEY_RANDOMNESS: Final = 40
"""Bytes that `new_key` needs: 8 for the public id, 32 for the secret."""

_KEY = re.compile(r"cs_[0-9a-f]{16}_[A-Za-z0-9_-]{43}")


def new_key(
    tenant_id: TenantId | None,
    name: str,
    *,
    now: datetime,
    randomness: bytes,
    scopes: frozenset[Scope] = ALL_SCOPES,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Return a key to keep and its text to show once. *randomness*: `KEY_RANDOMNESS` bytes from `secrets`.

    The text is ``cs_<id in hex>_<256 bits in base64url>``: the id can be read in it, so a leaked key can be
    revoked by whoever finds it in a log.
    """
    if len(randomness) != KEY_RANDOMNESS:
        raise ValueError(f"a key needs {KEY_RANDOMNESS} random bytes, not {len(randomness)}")
    if not scopes:
        raise InvalidInput("scopes", "A key without a scope can do nothing. There are: " + ", ".join(Scope) + ".")
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("expires_at", "A key cannot end before it begins.")
    number = randomness[:8].hex()
    text = f"cs_{number}_{base64.urlsafe_b64encode(randomness[8:]).rstrip(b'=').decode()}"
    key = ApiKey(f"key_{number}", tenant_id, name, hash_key(text), now, scopes=scopes, expires_at=expires_at)
    return key, text


def hash_key(text: str) -> str:
    """Return what is kept of a key's text. Plain SHA-256 is enough: 256 random bits cannot be guessed."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_key(text: str) -> bool:
    """Say whether *text* has the form of a key."""
    return _KEY.fullmatch(text) is not None
