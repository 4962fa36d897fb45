"""The child process that makes a recording smaller: ``python -m callspool.audio.opus FILE``, Ogg Opus to its output.

It meets hostile audio as `audio.check` does, and with the same limits: it reads one file with the decoder that its
first bytes call for, and can write into a pipe only. It ends with 0 only where all of the file was encoded.
"""

import sys
from pathlib import Path
from typing import BinaryIO, Final

from callspool.audio.check import CPU_SECONDS, Rejected, allow_cpu, form_of, limit_process

BITS_A_SECOND: Final = 20_000
"""For each channel: speech that nobody tells from the original on a telephone's bandwidth."""

_RATES: Final = frozenset({8000, 12000, 16000, 24000, 48000})
"""What Opus takes as it is."""
_REFUSED: Final = 3


class _Output:
    """An output that cannot be sought in: FFmpeg must not try."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        return self._file.write(data)


def encode(path: Path, output: BinaryIO) -> None:
    """Write all of the file as Ogg Opus, a channel for each of its own. Raises `Rejected`."""
    import av

    with path.open("rb") as file:
        form = form_of(file)
        try:
            # From our own open file, with a forced demuxer: FFmpeg itself opens nothing.
            with (
                av.open(file, mode="r", format=form) as original,
                av.open(_Output(output), mode="w", format="ogg", options={"fflags": "+bitexact"}) as smaller,
            ):
                heard = original.streams.audio[0]
                rate = heard.rate if heard.rate in _RATES else 48000
                layout = "mono" if heard.channels == 1 else "stereo"
                stream = smaller.add_stream("libopus", rate=rate, layout=layout, options={"application": "voip"})
                stream.bit_rate = BITS_A_SECOND * min(heard.channels, 2)
                for frame in original.decode(heard):
                    frame.pts = None  # counted anew: a provider's may have holes
                    smaller.mux(stream.encode(frame))
                smaller.mux(stream.encode(None))
        except (av.FFmpegError, IndexError, ValueError) as error:
            raise Rejected("undecodable", f"{form}: {error}"[:200]) from None


if __name__ == "__main__":
    limit_process()
    allow_cpu(CPU_SECONDS)
    try:
        encode(Path(sys.argv[1]), sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except (Rejected, MemoryError, OSError):
        sys.exit(_REFUSED)
