"""Files that the measurements bring, prove and play."""

import struct
from pathlib import Path
from typing import Final

import av
import numpy as np

from benchmarks.data.made import RATE

_SEED: Final = 11


def noise_file(path: Path, size: int) -> Path:
    """Write *size* bytes that no disk can shorten."""
    path.write_bytes(np.random.default_rng(_SEED).bytes(size))
    return path


def samples(seconds: float, channels: int = 2) -> "np.ndarray[tuple[int, int], np.dtype[np.int16]]":
    """Return a telephone call: bursts of sound with pauses, each channel its own."""
    chance = np.random.default_rng(_SEED)
    count = int(seconds * RATE)
    talks = np.repeat(chance.random((count // RATE + 1, channels)) < 0.6, RATE, axis=0)[:count]
    return (chance.normal(0, 2500, (count, channels)).clip(-32000, 32000) * talks).astype(np.int16)


def wav_file(path: Path, seconds: float, channels: int = 2) -> Path:
    """Write a WAV of 16 bits, a minute of it again and again."""
    minute = samples(min(60.0, seconds), channels).tobytes()
    size = int(seconds * RATE) * channels * 2
    form = struct.pack("<HHIIHH", 1, channels, RATE, RATE * channels * 2, channels * 2, 16)
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<I", 16) + form)
        file.write(b"data" + struct.pack("<I", size))
        for at in range(0, size, len(minute)):
            file.write(minute[: size - at])
    return path


def mp3_file(path: Path, seconds: float) -> Path:
    """Write a stereo MP3, a minute of it again and again: its frames do not know how many there are."""
    sound = samples(min(60.0, seconds))
    piece = path.with_suffix(".piece")
    with av.open(str(piece), "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("mp3", rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.reshape(1, -1)), "s16", "stereo")
        frame.rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    with path.open("wb") as file:
        for _ in range(max(1, round(seconds / 60))):
            file.write(piece.read_bytes())
    piece.unlink()
    return path
