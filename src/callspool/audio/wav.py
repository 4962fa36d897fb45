"""What a WAV file says of its own length, compared with how long it is.

Decoders take half a WAV file for a whole one without a word. So the sizes in its header are read here.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO, Final

UNKNOWN_SIZE: Final = 0xFFFFFFFF
"""What a program writes that does not know the size yet, e.g. into a pipe."""

_MOST_CHUNKS: Final = 64
_PLAIN: Final = frozenset({1, 3, 6, 7, 0xFFFE})
"""Codecs in which a frame has a fixed size: PCM, float, A-law, mu-law, extensible."""


class Malformed(Exception):
    """The header contradicts itself or the file; ``is_short`` where bytes are missing at the end."""

    def __init__(self, message: str, *, is_short: bool = False) -> None:
        super().__init__(message)
        self.is_short = is_short


@dataclass(frozen=True, slots=True)
class Declared:
    """What the header declares."""

    frames: int | None
    """None where it cannot be known from the header."""


def read_header(file: BinaryIO, size: int) -> Declared:
    """Read the chunks of a RIFF/WAVE *file* of *size* bytes up to the audio. Raises `Malformed`."""
    if size < 12:
        raise Malformed(f"only {size} bytes of a WAV file", is_short=True)
    (riff_size,) = struct.unpack("<4xI4x", file.read(12))
    if riff_size not in (0, UNKNOWN_SIZE) and riff_size + 8 > size + (riff_size & 1):
        raise Malformed(f"{size} bytes of {riff_size + 8}", is_short=True)
    frame_bytes: int | None = None
    has_format = False
    at = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            raise Malformed("it ends before its audio", is_short=True)
        name, length = struct.unpack("<4sI", head)
        if name == b"fmt ":
            codec, channels, align = struct.unpack("<HH8xH", _exactly(file, 14))
            has_format = True
            frame_bytes = align if codec in _PLAIN and channels and align else None
        elif name == b"data":
            if not has_format:
                raise Malformed("its audio comes before its format")
            return _declare(length, size - at - 8, frame_bytes)
        at += 8 + length + (length & 1)
    raise Malformed(f"no audio in the first {_MOST_CHUNKS} chunks")


def _declare(length: int, there: int, frame_bytes: int | None) -> Declared:
    if length == UNKNOWN_SIZE or (length == 0 and there > 0):
        return Declared(None)
    if length > there:
        raise Malformed(f"{there} of {length} bytes of audio", is_short=True)
    return Declared(length // frame_bytes if frame_bytes else None)


def _exactly(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise Malformed("it ends in the middle of its format", is_short=True)
    return data
