"""How fast recordings become ready: counted in steps of time and buckets of waiting, so that no series needs its rows.

A bucket is a fifth wider than the one before it: a percentile read from them is at most a tenth off.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

STEP: Final = timedelta(minutes=15)

_SHORTEST_S: Final = 0.1
_BUCKETS_IN_A_DOUBLING: Final = 4
_LAST: Final = 120
"""A bucket for all that took longer than three years."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How many fetches ended in one step of time, and how."""

    at: datetime
    """When the step began."""
    failed: int
    ready: Mapping[int, int]
    """By bucket of the time from queued to ready."""


def step_of(at: datetime) -> datetime:
    """Return when the step of *at* began."""
    seconds = int(STEP.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def recent(now: datetime) -> datetime:
    """Return from when on a rate of now is counted: the step before this one, so that it never counts seconds only."""
    return step_of(now - STEP)


def per_minute(count: int, now: datetime) -> float:
    """Return the rate of what was counted since then."""
    return round(count / ((now - recent(now)) / timedelta(minutes=1)), 2)


def bucket_of(waited: timedelta) -> int:
    """Return the bucket of a waiting time."""
    seconds = max(_SHORTEST_S, waited.total_seconds())
    return min(_LAST, round(_BUCKETS_IN_A_DOUBLING * math.log2(seconds / _SHORTEST_S)))


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """Return the seconds within which *share* of what was counted became ready; None: nothing was counted."""
    wanted = share * sum(counts.values())
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            return round(_SHORTEST_S * math.exp2(bucket / _BUCKETS_IN_A_DOUBLING), 3)
    return None
