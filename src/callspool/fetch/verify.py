"""Compare what a file proved to be with what the provider announced and was asked for."""

from typing import Final

from callspool.domain.errors import FetchFailed
from callspool.domain.ports.audio import Probe
from callspool.domain.reasons import Reason
from callspool.domain.recording import Recording, Unverified
from callspool.domain.tenant import MediaFormat

LEAST_TOLERANCE_S: Final = 2.0
"""Providers round to whole seconds, and a call's first and last moments are counted differently."""
TOLERANCE: Final = 0.02
MOST_TOLERANCE_S: Final = 5.0
"""None of that grows with the call. What does, clocks that differ and packets that were lost, is far below 0.1 %."""


def verify(
    recording: Recording,
    probe: Probe,
    *,
    media_format: MediaFormat,
    asked_channels: int | None,
    told_duration_s: float | None = None,
    has_length: bool = False,
) -> tuple[Unverified, ...]:
    """Return what could not be compared. Raises `FetchFailed` (wrong_duration, wrong_channels).

    *asked_channels* is what the form had that came; None where it was the provider's to choose. *told_duration_s* is
    what the provider said with the file: later, and so better, than what it announced. *has_length*: it said how many
    bytes there are, and so many came.
    """
    checks = (
        _duration(told_duration_s or recording.announced_duration_s, probe),
        _channels(recording, probe, media_format, asked_channels),
        # A last second that is missing is within what providers round: only a count shows it.
        None if has_length or probe.is_counted else Unverified.END,
    )
    return tuple(unknown for unknown in checks if unknown is not None)


def _duration(announced: float | None, probe: Probe) -> Unverified | None:
    if announced is None:
        return Unverified.DURATION
    tolerance = max(LEAST_TOLERANCE_S, min(announced * TOLERANCE, MOST_TOLERANCE_S))
    if abs(probe.duration_s - announced) > tolerance:
        raise FetchFailed(Reason.WRONG_DURATION, f"{probe.duration_s:.1f} s, announced were {announced:g} s")
    return None


def _channels(
    recording: Recording, probe: Probe, media_format: MediaFormat, asked_channels: int | None
) -> Unverified | None:
    if asked_channels is not None:
        if probe.channels != asked_channels:
            raise FetchFailed(Reason.WRONG_CHANNELS, f"{probe.channels}, asked for were {asked_channels}")
        return None
    if media_format is not MediaFormat.DUAL_WAV:
        return None  # the account takes the mix, whatever the call had
    # The form with two channels was refused, or not asked for where one was announced: that is all there is. Whether
    # it is all that there ought to be is known only where the provider's announcement agrees.
    return None if probe.channels == recording.announced_channels else Unverified.CHANNELS
