"""How often one tenant may ask, and one account's provider tell: generous, so that a loop gone wild harms nobody else.

Each process counts for itself and forgets at its end: the count keeps a process able to answer, it is no invoice.
A click on play is never counted (F28), whatever else its tenant does.
"""

import math
from collections import OrderedDict
from typing import Final

from callspool.api.problems import Refusal
from callspool.domain.ports.clock import Clock

PLAY: Final = frozenset(
    {"fetchRecording", "createPlayback", "getAudio", "headAudio", "getWaveform", "listenToEvents", "getRecording"}
)
"""What a player asks for, by the names in the API's description."""

BURST_S: Final = 10.0
"""So many seconds' worth may come at once."""
_MOST: Final = 10_000


class Rates:
    """Counts by who asks. The one that has not asked for longest is forgotten first."""

    def __init__(self, per_second: int, clock: Clock) -> None:
        self._every_s = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._free_at: OrderedDict[str, float] = OrderedDict()
        """When everything that was asked so far would be done, at the even rate."""

    def count(self, who: str) -> None:
        """Count one more. Raises `Refusal` (429) where that is too much."""
        if not self._every_s:
            return
        now = self._clock.now().timestamp()
        free_at = self._free_at.get(who, now)
        if not now <= free_at <= now + BURST_S + 1:  # long ago; or the clock was put back, which shuts nobody out
            free_at = now
        wait_s = free_at + self._every_s - now - BURST_S
        if wait_s > 0:
            raise Refusal("too_many_requests", headers={"retry-after": str(math.ceil(wait_s))})
        self._free_at[who] = free_at + self._every_s
        self._free_at.move_to_end(who)
        if len(self._free_at) > _MOST:
            self._free_at.popitem(last=False)
