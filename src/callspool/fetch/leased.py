"""What every kind of work under a lease has in common: how it is told to stop, and how it is settled."""

import math
from abc import ABC, abstractmethod
from datetime import timedelta

from callspool.domain.job import Lease, Settlement, Signal, Stop, Verdict


class Leased(ABC):
    """The work of one lease."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._first_byte_ms = 0

    @abstractmethod
    async def run(self) -> Settlement:
        """Do it and return its settlement, whatever happens, unless it is cancelled."""

    @abstractmethod
    async def hand_back(self) -> Settlement:
        """Give it back as it was, charging nothing."""

    @abstractmethod
    def note(self, why: Stop) -> None:
        """Log that the work is stopped. From here on nothing is written."""

    def done(self, signal: Signal = Signal.NONE) -> Settlement:
        """Return the settlement of a job with nothing left to do."""
        return Settlement(
            *(self._lease.job.id, self._lease.token, Verdict.DONE), signal=signal, latency_ms=self._first_byte_ms
        )

    def later(self, delay: timedelta, pause: timedelta = timedelta(), signal: Signal = Signal.NONE) -> Settlement:
        """Return the settlement of a job that goes on after *delay*."""
        return Settlement(
            *(self._lease.job.id, self._lease.token, Verdict.DEFER),
            delay_ms=_ms(delay),
            pause_pool_ms=_ms(pause),
            signal=signal,
        )


def _ms(delay: timedelta) -> int:
    return math.ceil(delay / timedelta(milliseconds=1))
