"""The ports of what looks into audio."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file proved to be."""

    content_type: str
    extension: str
    """``wav`` or ``mp3``."""
    channels: int
    sample_rate: int
    duration_s: float
    is_counted: bool = False
    """The file says how much of it there is, and so much was found: its end is proven."""
    waveform: bytes = field(default=b"", repr=False, compare=False)
    """Peaks and silences for a player (audiowaveform's JSON, compressed), made in the same pass."""


class Prober(Protocol):
    """Proves that a file is whole audio."""

    async def probe(self, path: Path) -> Probe:
        """Decode all of it, away from this process. Raises `FetchFailed` (not_audio, truncated, undecodable)."""
        ...


class Renderer(Protocol):
    """Makes a recording smaller."""

    async def render(self, source: Path, target: Path) -> None:
        """Write *source* to *target* as Ogg Opus, away from this process. Raises `FetchFailed` (undecodable)."""
        ...
