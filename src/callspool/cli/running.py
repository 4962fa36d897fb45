"""Runs what works until it is told to stop. Apart from the HTTP server, which a worker need not import."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run *work* on uvloop where there is one: half as much again as on asyncio's own loop."""
    make_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop as make_loop
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(work)
