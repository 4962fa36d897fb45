"""The child process that meets hostile audio: ``python -m callspool.audio.check``.

It reads one path a line (as JSON) and answers one line of JSON. It limits itself before it opens anything:
memory, processor time, no file it could write, no core dump. A file is decoded to its end with the decoder
that its first bytes call for, never with one that a name or a guess suggests: decoders do what playlists
tell them. When its input ends, so does it.
"""

import base64
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

from callspool.audio import mp3, wav
from callspool.audio.waveform import Waveform

Answer = dict[str, object]

MEMORY: Final = 2 << 30
CPU_SECONDS: Final = 300
"""For one file: a hundred hours of telephone audio."""

_BLOCK_FRAMES: Final = 1 << 18


class Rejected(Exception):
    """The file is not whole audio; ``reason`` is a word of `domain.reasons`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def check(path: Path) -> Answer:
    """Decode all of the file; say what it is. Raises `Rejected`."""
    size = path.stat().st_size
    with path.open("rb") as file:
        return _check_wav(file, size) if form_of(file) == "wav" else _check_mp3(file)


def form_of(file: BinaryIO) -> str:
    """Return ``wav`` or ``mp3``, by the file's first bytes; it stands at its beginning then. Raises `Rejected`."""
    head = file.read(16)
    file.seek(0)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if is_mp3(head):
        return "mp3"
    if len(head) < 12 and b"RIFF".startswith(head[:4]):
        raise Rejected("truncated", f"only {len(head)} bytes of a WAV file" if head else "the file is empty")
    raise Rejected("not_audio", f"begins with {describe(head)}")


def is_mp3(head: bytes) -> bool:
    """Say whether a file begins like MP3: an ID3 tag, or the header of a Layer III frame."""
    if head[:3] == b"ID3":
        return True
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bitrate, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer == 1 and bitrate not in (0, 15) and rate != 3


def describe(head: bytes) -> str:
    """Say what a file that is not audio seems to be."""
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
        return "HTML or XML"
    if start.startswith((b"{", b"[")):
        return "JSON"
    return f"the bytes {head[:8].hex()}"


def _check_wav(file: BinaryIO, size: int) -> Answer:
    import numpy as np
    import soundfile

    try:
        declared = wav.read_header(file, size)
    except wav.Malformed as error:
        raise Rejected("truncated" if error.is_short else "undecodable", str(error)) from None
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:
            channels, rate = sound.channels, sound.samplerate
            drawn = Waveform(rate, channels)
            block = np.empty((_BLOCK_FRAMES, channels), dtype=np.int16)
            frames = 0
            while count := len(sound.read(out=block)):
                frames += count
                drawn.feed([np.ascontiguousarray(block[:count, index]) for index in range(channels)])
    except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
        raise Rejected("undecodable", f"WAV: {error}"[:200]) from None
    if declared.frames is not None and frames < declared.frames:
        raise Rejected("truncated", f"{frames} of {declared.frames} frames")
    return _answer("audio/wav", "wav", channels, rate, frames, drawn, counted=declared.frames is not None)


def _check_mp3(file: BinaryIO) -> Answer:
    import av

    frames, packets, drawn = 0, 0, None
    declared = mp3.declared_frames(file.read(mp3.HEAD_BYTES))
    file.seek(0)
    try:
        # From our own open file: FFmpeg itself opens nothing.
        with av.open(file, mode="r", format="mp3") as container:
            stream = container.streams.audio[0]
            channels, rate = stream.channels, stream.rate
            gathered = _Gathered(Waveform(rate, channels))
            for packet in container.demux(stream):
                packets += packet.size > 0  # each is a frame of the file; the last, empty one lets the decoder end
                for frame in packet.decode():
                    frames += frame.samples
                    gathered.add(frame)
            drawn = gathered.finish()
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise Rejected("undecodable", f"MP3: {error}"[:200]) from None
    if declared is not None and packets < declared:
        raise Rejected("truncated", f"{packets} of {declared} frames")
    return _answer("audio/mpeg", "mp3", channels, rate, frames, drawn, counted=declared is not None)


class _Gathered:
    """Hands a decoder's small frames on in larger blocks: each array costs more than its samples."""

    def __init__(self, drawn: Waveform) -> None:
        import av

        self._drawn = drawn
        self._frames = av.AudioFifo()

    def add(self, frame: Any) -> None:
        """Raises `ValueError` where the frame is not like those before it."""
        frame.pts = None  # a gap in time is no error: the samples are what counts
        self._frames.write(frame)
        if self._frames.samples >= _BLOCK_FRAMES:
            self._hand_on()

    def finish(self) -> Waveform:
        self._hand_on()
        return self._drawn

    def _hand_on(self) -> None:
        import numpy as np

        frame = self._frames.read()
        if frame is None:
            return
        block = frame.to_ndarray()
        if block.dtype.kind == "f":  # FFmpeg's MP3 decoder gives parts of one
            np.clip(block, -1.0, 1.0, out=block)
            block *= 32767
            block = block.astype(np.int16)
        self._drawn.feed([np.ascontiguousarray(channel) for channel in block])


def _answer(
    content_type: str,
    extension: str,
    channels: int,
    rate: int,
    frames: int,
    drawn: Waveform | None,
    *,
    counted: bool,
) -> Answer:
    if frames == 0 or rate <= 0:
        raise Rejected("truncated", "no audio at all: only a header")
    return {
        "content_type": content_type,
        "extension": extension,
        "channels": channels,
        "sample_rate": rate,
        "duration_s": frames / rate,
        "is_counted": counted,
        "waveform": base64.b64encode(drawn.finish()).decode() if drawn else "",
    }


def limit_process() -> None:
    """Give up, for good, what a decoder does not need."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def allow_cpu(seconds: int) -> None:
    """Let this process run for *seconds* more; past them the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + seconds, hard))


def serve(lines: BinaryIO, answers: BinaryIO, check_file: Callable[[Path], Answer] = check) -> None:
    """Answer each line until there are no more."""
    for line in lines:
        allow_cpu(CPU_SECONDS)
        try:
            answer = check_file(Path(json.loads(line)))
        except Rejected as rejected:
            answer = {"reason": rejected.reason, "detail": str(rejected)}
        except MemoryError:
            answer = {"reason": "undecodable", "detail": "it needs too much memory"}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    limit_process()
    serve(sys.stdin.buffer, sys.stdout.buffer)
