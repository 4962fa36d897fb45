"""A TCP proxy that cuts: it stands between two parts, and drops, delays, half-closes or resets what they say."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import Final

_DELAY_S: Final = 0.3
_BLOCK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a part listens: a port of this machine, or the path of a socket."""

    port: int = 0
    path: str = ""

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        if self.path:
            return await asyncio.open_unix_connection(self.path)
        return await asyncio.open_connection("127.0.0.1", self.port)


class Proxy:
    """One listener before one part. It passes everything on until it is told otherwise."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._open = asyncio.Event()
        self._open.set()
        self._delay_s = 0.0
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port of this machine."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End every connection."""
        if self._server:
            self._server.close()
        self.heal()
        self._break()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, how: str) -> None:
        """``drop``: nothing arrives. ``delay``: all of it late. ``reset``: broken off, and refused.
        ``half-close``: the part seems to have said its last word; new connections are whole."""
        match how:
            case "drop":
                self._open.clear()
            case "delay":
                self._delay_s = _DELAY_S
            case "reset":
                self._refuses = True
                self._break()
            case "half-close":
                for writer in self._writers:
                    with contextlib.suppress(OSError, RuntimeError):  # it is closed already
                        writer.write_eof()
            case _:
                raise ValueError(f"there is no way to cut called {how!r}")

    def heal(self) -> None:
        """Pass everything on again, what was held back too."""
        self._delay_s, self._refuses = 0.0, False
        self._open.set()

    def _break(self) -> None:
        for writer in self._writers:
            peer = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it is closed already
                if peer is not None and peer.family == socket.AF_INET:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        writers = [writer]
        # RuntimeError: somebody speaks on through a side that was half closed meanwhile.
        with contextlib.suppress(OSError, RuntimeError):
            far_reader, far_writer = await self._upstream.connect()
            writers.append(far_writer)
            self._writers.update(writers)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers.difference_update(writers)
        for one in writers:
            one.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_BLOCK):
            if self._delay_s:
                await asyncio.sleep(self._delay_s)  # the fault itself
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()
