"""When what is known of leases can be believed: a lease time after data may have been lost, or the clock was set."""

from collections.abc import Iterable
from dataclasses import dataclass

LEASE_MS = 60_000
HALF_MS = LEASE_MS // 2
"""Where workers live, calls come more often than that; by their clock, too."""


@dataclass(slots=True)
class Lifetime:
    """A lifetime of the data, by the server's clock. It begins again with the first call that sees a reason for it."""

    began: int | None = None
    """None: the next call begins it."""
    opens: int = 0
    seen: int = 0
    """When the last call came."""
    young: bool = False
    """Nobody has looked yet for leases that are dated later than any could be that was renewed in it."""

    def hear(self, now: int, ends: Iterable[int]) -> None:
        """A call comes; *ends* are the ends of all leases."""
        went, was_waiting, self.seen = now - self.seen, self.seen < self.opens, now
        if self.began is None or self.began > now or went < -HALF_MS:
            self._begin(now)
        elif went > HALF_MS:
            # What was overdue when this lifetime began has had its wait.
            began = self.began
            if was_waiting:
                self.opens = now + LEASE_MS
            elif any(began + HALF_MS < end <= now + HALF_MS for end in ends):
                self._begin(now)

    def _begin(self, now: int) -> None:
        self.began, self.opens, self.young = now, now + LEASE_MS, True

    def open(self) -> None:
        """End the wait: somebody knows that no worker holds what is not known here."""
        self.began, self.opens = 0, 0
