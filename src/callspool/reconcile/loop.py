"""The outermost loop of everything that works beside the server for as long as it runs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from callspool.domain.errors import Unavailable

_LONGEST_REST: Final = timedelta(minutes=1)
_MOST_DOUBLINGS: Final = 10
_log = structlog.get_logger("callspool.reconcile")


async def for_ever(name: str, turn: Callable[[], Awaitable[object]], *, rest: timedelta) -> None:
    """Take a turn, rest, take the next one, until cancelled.

    A part that is away is waited for. A defect is logged and must not take the server with it: the rests grow while
    defects follow each other, so that the log is not filled, and the first turn without one ends that.
    """
    defects = 0
    while True:
        pause = rest
        try:
            await turn()
            defects = 0
        except Unavailable as error:
            _log.warning(f"{name}.put_off", error=str(error))
        except Exception:
            _log.exception(f"{name}.broke")
            pause = max(rest, min(rest * 2 ** min(defects, _MOST_DOUBLINGS), _LONGEST_REST))
            defects += 1
        await asyncio.sleep(pause.total_seconds())  # nobody's job waits here
