"""When a command that runs for long is to end: a signal, or the end of the program that started it."""

import asyncio
import signal
import sys


def ending_signals() -> list[signal.Signals]:
    """Return SIGTERM, Ctrl-C, and what a closed terminal sends; not that one under ``nohup``, which had it ignored."""
    ending = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        ending.append(signal.SIGHUP)
    return ending


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set *stop* on each of `ending_signals`."""
    loop = asyncio.get_running_loop()
    for number in ending_signals():
        loop.add_signal_handler(number, stop.set)


async def stop_with_parent(stop: asyncio.Event) -> None:
    """Set *stop* when the parent ends, however it ends: it holds the other end of our standard input."""

    class Watch(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            stop.set()

    await asyncio.get_running_loop().connect_read_pipe(Watch, sys.stdin)
