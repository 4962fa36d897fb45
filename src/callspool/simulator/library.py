"""Give a call's audio as the bytes of a file: WAV made as it is read, MP3 encoded once into a temporary folder.

Real formats by FFmpeg's own encoder where there is one to write; the folder goes when the simulator stops.
"""

import asyncio
import hashlib
import os
import struct
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Final, Protocol

import av

from callspool.simulator.conversation import Conversation
from callspool.simulator.speech import RATE, Voices

BLOCK: Final = 64 * 1024
"""Bytes that are made, hashed or sent in one go."""

_MP3_BITS_A_SECOND: Final = 32_000
_HEADER: Final = 44
_KEPT_CONVERSATIONS: Final = 256
_LARGEST_WAV: Final = 2**32 - 1 - _HEADER


class Audio(Protocol):
    """A file's bytes, any part of them."""

    @property
    def size(self) -> int:
        """Bytes of the whole file."""

    @property
    def content_type(self) -> str:
        """As the provider sends it."""

    @property
    def etag(self) -> str:
        """A strong entity tag."""

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from *start* to before *stop*."""


class Wav:
    """16-bit PCM, made as it is read."""

    content_type = "audio/x-wav"

    def __init__(self, conversation: Conversation, channels: int, etag: str) -> None:
        self._conversation = conversation
        self._channels = channels
        self._frame_bytes = 2 * channels
        data = conversation.frames * self._frame_bytes
        if data > _LARGEST_WAV:
            raise ValueError(f"a WAV file cannot hold {data} bytes of audio: make the recording shorter")
        self.size = _HEADER + data
        self.etag = etag
        byte_rate = RATE * self._frame_bytes
        self._header = struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            *(b"RIFF", _HEADER - 8 + data, b"WAVE"),
            *(b"fmt ", 16, 1, channels, RATE, byte_rate, self._frame_bytes, 16),
            *(b"data", data),
        )

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from *start* to before *stop*."""
        stop = min(stop, self.size)
        if stop <= start:
            return b""
        head = self._header[start:stop]
        start, stop = max(start - _HEADER, 0), max(stop - _HEADER, 0)
        first, last = start // self._frame_bytes, -(-stop // self._frame_bytes)
        samples = self._conversation.render(first, last, self._channels).astype("<i2", copy=False).tobytes()
        return head + samples[start - first * self._frame_bytes : stop - first * self._frame_bytes]


class File:
    """A file in the temporary folder."""

    def __init__(self, path: Path, content_type: str, etag: str) -> None:
        self._path = path
        self.size = path.stat().st_size
        self.content_type = content_type
        self.etag = etag

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from *start* to before *stop*."""
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            return os.pread(descriptor, max(stop - start, 0), start)
        finally:
            os.close(descriptor)


class Library:
    """All audio of a simulator."""

    def __init__(self) -> None:
        self._voices = Voices()
        self._conversations: OrderedDict[tuple[int, float, float], Conversation] = OrderedDict()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._encoding: dict[str, asyncio.Task[Path]] = {}

    async def find(
        self, seed: int, duration_s: float, file_format: str, channels: int, silence_s: float = 0.0
    ) -> Audio:
        """Return a call's audio as ``wav`` or ``mp3`` in one or two channels, with a pause in it or without."""
        said = f"{seed} {duration_s!r} {file_format} {channels} {silence_s!r}"
        name = hashlib.sha256(said.encode()).hexdigest()[:32]
        if file_format == "wav":
            return Wav(self._conversation(seed, duration_s, silence_s), channels, f'"{name}"')
        if name not in self._encoding:
            self._folder = self._folder or tempfile.TemporaryDirectory(prefix="callspool-simulator-")
            path = Path(self._folder.name) / f"{name}.mp3"
            self._encoding[name] = asyncio.create_task(
                asyncio.to_thread(_encode_mp3, self._conversation(seed, duration_s, silence_s), channels, path)
            )
        # Shielded, because a client that leaves must not end the encoding for those who stay.
        return File(await asyncio.shield(self._encoding[name]), "audio/mpeg", f'"{name}"')

    async def close(self) -> None:
        """Remove the folder."""
        await asyncio.gather(*self._encoding.values(), return_exceptions=True)
        if self._folder:
            self._folder.cleanup()

    def _conversation(self, seed: int, duration_s: float, silence_s: float) -> Conversation:
        key = (seed, duration_s, silence_s)
        if key not in self._conversations:
            self._conversations[key] = Conversation(seed, duration_s, self._voices, silence_s)
            if len(self._conversations) > _KEPT_CONVERSATIONS:
                self._conversations.popitem(last=False)
        self._conversations.move_to_end(key)
        return self._conversations[key]


def read_all(audio: Audio) -> bytes:
    """Return the whole file."""
    return audio.read(0, audio.size)


def sha256_of(audio: Audio) -> str:
    """Return the whole file's SHA-256, with little memory."""
    digest = hashlib.sha256()
    for start in range(0, audio.size, BLOCK):
        digest.update(audio.read(start, start + BLOCK))
    return digest.hexdigest()


def _encode_mp3(conversation: Conversation, channels: int, path: Path) -> Path:
    path.touch()  # of no audio at all, the encoder writes nothing
    layout = "stereo" if channels == 2 else "mono"
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout=layout)
        stream.bit_rate = _MP3_BITS_A_SECOND
        for start in range(0, conversation.frames, RATE * 10):
            samples = conversation.render(start, min(start + RATE * 10, conversation.frames), channels)
            frame = av.AudioFrame.from_ndarray(samples.T.copy(), "s16p", layout)
            frame.sample_rate = RATE
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
