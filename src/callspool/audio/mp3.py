"""What an MP3 says of its own length, where it says anything.

An MP3 that was cut between two frames is a whole MP3 to every decoder. Encoders put a first frame without sound before
the others that counts them ("Xing" or "Info"): where there is one, the cut shows.
"""

import struct
from typing import Final

HEAD_BYTES: Final = 64 * 1024
"""So much of a file's beginning is looked at."""

_MPEG1: Final = 3
_MONO: Final = 3
_TAG_HEAD: Final = 10


def declared_frames(head: bytes) -> int | None:
    """Return how many frames follow the first one, as that says; None where it does not."""
    at = _after_tag(head)
    if len(head) < at + 4 or head[at] != 0xFF or head[at + 1] & 0xE0 != 0xE0:
        return None
    is_mpeg1, is_mono = head[at + 1] >> 3 & 3 == _MPEG1, head[at + 3] >> 6 == _MONO
    side_information = (17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17)
    at += 4 + side_information
    if head[at : at + 4] not in (b"Xing", b"Info") or len(head) < at + 12:
        return None
    flags, frames = struct.unpack(">II", head[at + 4 : at + 12])
    return frames if flags & 1 else None


def _after_tag(head: bytes) -> int:
    """Return where an ID3 tag at the beginning ends. Its size is written in seven bits of each byte."""
    if head[:3] != b"ID3" or len(head) < _TAG_HEAD:
        return 0
    size = 0
    for byte in head[6:_TAG_HEAD]:
        size = size << 7 | byte & 0x7F
    return _TAG_HEAD + size
