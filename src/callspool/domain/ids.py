"""Names of things: one type for each, so that they cannot be mixed up."""

import re
from typing import NewType

TenantId = NewType("TenantId", str)
AccountId = NewType("AccountId", str)
RecordingId = NewType("RecordingId", str)
"""Our own id: ``rec_`` and 32 hex digits that begin with the time, so ids sort by age."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DECORATION = re.compile(r"[ ().\u00a0/-]")
_PHONE_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_RECORDING_ID = re.compile(r"rec_[0-9a-f]{32}")


def phone_number(text: str) -> str | None:
    """Return a phone number in one form, ``+`` and digits alone, or None where *text* is none."""
    digits = _DECORATION.sub("", text)
    return digits if _PHONE_NUMBER.fullmatch(digits) else None


def new_recording_id(now_ms: int, randomness: bytes) -> RecordingId:
    """Return an id made as RFC 9562 makes a version 7 UUID, from milliseconds and 10 random bytes."""
    number = (now_ms & (1 << 48) - 1) << 80 | int.from_bytes(randomness[:10], "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return RecordingId(f"rec_{number:032x}")


def is_recording_id(text: str) -> bool:
    """Say whether *text* has the exact form of a recording id."""
    return _RECORDING_ID.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Say whether *text* may name a tenant or an account: lower case, digits, inner hyphens, at most 63."""
    return _NAME.fullmatch(text) is not None
