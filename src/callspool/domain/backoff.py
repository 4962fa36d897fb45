"""How long to wait before the next try."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

RETRY_DELAYS: Final[Sequence[timedelta]] = tuple(timedelta(seconds=s) for s in (2, 5, 10, 20, 40))
"""S3's deferral delays: the ceiling of each retry's wait. There are as many retries as delays."""

NOT_READY_LIMIT: Final = 33
"""How often "not ready yet" is believed: with the delays above and full jitter, ten minutes on average."""

LOST_LIMIT: Final = 5
"""How many workers may die over one recording before it is taken for the cause."""


def full_jitter(
    failures: int, fraction: float, delays: Sequence[timedelta] = RETRY_DELAYS, floor: timedelta = timedelta()
) -> timedelta:
    """Return the wait after the *failures*-th failure (from 1): *fraction* (0 to 1) of its ceiling, at least *floor*.

    Past the last delay the ceiling stays. "Full jitter" is the AWS Architecture Blog's term: the whole wait
    is random, so that jobs that failed together do not come back together.
    """
    ceiling = delays[min(max(failures, 1), len(delays)) - 1]
    return max(floor, ceiling * fraction)
