"""Compare what a file proved to be with what the provider announced."""

from typing import Final

from callspool.domain.errors import FetchFailed
from callspool.domain.ports import Probe
from callspool.domain.reasons import Reason
from callspool.domain.recording import Recording

LEAST_TOLERANCE_S: Final = 2.0
"""Providers round to whole seconds, and a call's first and last moments are counted differently."""
TOLERANCE: Final = 0.02


def verify(recording: Recording, probe: Probe) -> bool:
    """Return True if the duration is as announced, False if none was. Raises `FetchFailed` (wrong_duration)."""
    announced = recording.announced_duration_s
    if announced is None:
        return False
    if abs(probe.duration_s - announced) > max(LEAST_TOLERANCE_S, announced * TOLERANCE):
        raise FetchFailed(Reason.WRONG_DURATION, f"{probe.duration_s:.1f} s, announced were {announced:g} s")
    return True
