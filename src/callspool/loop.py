"""The outermost loop of everything that works beside the server for as long as it runs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from callspool.domain.errors import Unavailable

_LONGEST_REST: Final = timedelta(minutes=1)
_MOST_DOUBLINGS: Final = 10
_LONGEST_SILENCE_S: Final = 600.0
_log = structlog.get_logger("callspool.loop")


class Outage:
    """Tells of a part that is away: at once, then ever more rarely, and once more when it is back."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._since: float | None = None
        self._told = 0.0

    def goes_on(self, error: Unavailable) -> None:
        """Note that it did not answer."""
        now = asyncio.get_running_loop().time()
        if self._since is None:
            self._since = now
        elif now - self._told < min(self._told - self._since, _LONGEST_SILENCE_S):
            return
        self._told = now
        _log.warning(f"{self._name}.put_off", error=str(error), away_s=round(now - self._since))

    def is_over(self) -> None:
        """Note that it answered."""
        if self._since is not None:
            away_s = asyncio.get_running_loop().time() - self._since
            self._since = None
            _log.info(f"{self._name}.goes_on", away_s=round(away_s))


async def for_ever(
    name: str, turn: Callable[[], Awaitable[object]], *, rest: timedelta, outage: Outage | None = None
) -> None:
    """Take a turn, rest, take the next one, until cancelled.

    A part that is away is asked again after each rest. Give its *outage* where a turn goes on for long: it then says
    itself when all is well. A defect is logged and must not take the server with it: the rests grow while defects
    follow each other, so that the log is not filled, and the first turn without one ends that.
    """
    outage = outage or Outage(name)
    defects = 0
    while True:
        pause = rest
        try:
            await turn()
            outage.is_over()
            defects = 0
        except Unavailable as error:
            outage.goes_on(error)
        except Exception:
            _log.exception(f"{name}.broke")
            pause = max(rest, min(rest * 2 ** min(defects, _MOST_DOUBLINGS), _LONGEST_REST))
            defects += 1
        await asyncio.sleep(pause.total_seconds())  # nobody's job waits here
