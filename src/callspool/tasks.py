"""How tasks are waited for, and ended for certain. It knows nothing of the rest."""

import asyncio
from typing import Any, Final

_AGAIN_S: Final = 0.5


async def cancel(*tasks: asyncio.Task[Any], again_s: float = _AGAIN_S) -> None:
    """Cancel tasks until they are over, and wait for it.

    Once is not enough: where an answer comes at the same moment, `asyncio.wait_for` of Python 3.11, and whatever is
    made of it, forgets that it was cancelled, and a loop that works for ever goes on. *again_s* is how long a task may
    take to tidy up before it is cancelled again.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=again_s)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at: nobody else will


async def first(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
