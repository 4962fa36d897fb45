"""The simulator's own clock: it shares none with the program that it tests."""

import time
from datetime import UTC, datetime


class Clock:
    """Real time. `ahead_s` puts the monotonic clock forward, so that a test need not wait for a fault to end."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> datetime:
        """Return the date and time, in whole seconds as the provider keeps them."""
        return datetime.now(UTC).replace(microsecond=0)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic() + self.ahead_s
