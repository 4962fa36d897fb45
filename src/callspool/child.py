"""Start a process of our own and talk with it, from a process that has threads.

A loop's own way may be to fork: the child then is a copy of us until it becomes what it should, runs our Python on the
way, and waits for ever for a lock that another thread of ours had at that moment. uvloop forks so. Until somebody ends
such a copy we wait with it, and whatever we held by a file lock it holds after our death. `subprocess` runs
nothing of ours between the two.
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
from collections.abc import Mapping
from typing import Final

_LONGEST_LINE: Final = 1 << 20


class Child:
    """A process whose standard input and output are ours to write and read. It sees the end of us as end of input."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self._writer = writer
        self._process = process

    @classmethod
    async def start(cls, *command: str, environment: Mapping[str, str], is_quiet: bool = False) -> "Child":
        """Start *command* in a session of its own, so that a Ctrl-C is ours alone.

        *environment* is all that it inherits; *is_quiet*: what it says of errors goes nowhere. Raises `OSError`.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            reader, writer = await asyncio.open_connection(sock=ours, limit=_LONGEST_LINE)
            try:  # and nothing to wait for after it: a cancellation leaves no process behind
                process = subprocess.Popen(  # noqa: ASYNC220, S603 -- as short as a fork; our own commands
                    command,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL if is_quiet else None,
                    env=environment,
                    start_new_session=True,
                )
            except BaseException:
                writer.close()
                raise
        return cls(process, reader, writer)

    @property
    def has_ended(self) -> bool:
        """True once the process is gone."""
        return self._process.poll() is not None

    async def write(self, data: bytes) -> None:
        """Give it *data*. Raises `ConnectionError` when it takes no more."""
        self._writer.write(data)
        await self._writer.drain()

    def terminate(self) -> None:
        """Ask it to end; one that has ended is left alone."""
        self._process.send_signal(signal.SIGTERM)

    async def end(self) -> int:
        """End it at once if it has not ended; return its exit status, negative for a signal. Again is fine."""
        self._process.kill()
        return await self.wait()

    async def wait(self) -> int:
        """Return its exit status once it has ended."""
        code = await asyncio.to_thread(self._process.wait)
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        return code
