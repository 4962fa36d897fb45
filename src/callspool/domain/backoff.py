"""How long to wait before the next try."""

from collections.abc import Sequence
from dataclasses import dataclass
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


ASKED_SPREAD: Final = 0.1
"""What a provider asks for is kept to and spread by so much: those whom it told the same do not come back together."""


@dataclass(frozen=True, slots=True)
class Delay:
    """How long after a failure the next try comes, as one kind of failure needs it."""

    ceilings: Sequence[timedelta]
    """By the count of failures, from the first; past the last one it stays."""
    at_least: float = 0.0
    """What part of the ceiling is not left to chance. 0: full jitter."""

    def wait(self, failures: int, chance: float, *, scale: float = 1.0, asked: timedelta | None = None) -> timedelta:
        """Return the wait after the *failures*-th failure, by *chance* (0 to 1); never less than was *asked* for."""
        fraction = self.at_least + (1 - self.at_least) * chance
        ours = full_jitter(failures, fraction, self.ceilings) * scale
        return max(ours, (asked or timedelta()) * (1 + ASKED_SPREAD * chance))


RETRIES: Final = Delay(RETRY_DELAYS)
SLOW_DOWN: Final = Delay((timedelta(seconds=5),), at_least=0.5)
"""Where the provider asked us to slow down and did not say for how long."""
PROBE: Final = Delay((timedelta(seconds=60),), at_least=0.9)
"""With refused credentials one try a minute shows when they are right again."""
