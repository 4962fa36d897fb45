"""A connection to one Valkey for who calls one at a time, with as little as possible between caller and socket.

valkey-py's client starts a task and two time limits for each command and packs it in Python. After a rest, when
nothing is in the processor's caches, that takes longer than Valkey takes for a turn.
"""

import asyncio
from typing import Any

import libvalkey
import valkey
from valkey.asyncio import ConnectionPool
from valkey.asyncio.connection import AbstractConnection


class Direct:
    """What is used of valkey-py's client, on one of its connections. Close it."""

    def __init__(self, url: str, timeout_s: float) -> None:
        # The pool is only what reads the address; it holds no connection.
        pool = ConnectionPool.from_url(url, socket_connect_timeout=timeout_s)
        self._connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()

    async def execute_command(self, *command: str | bytes | int | float) -> Any:
        """Send a command and return what is answered; connect first where that is needed.

        Raises `valkey.ValkeyError`. After anything but an error that Valkey sent, the next call connects anew.
        """
        packed = libvalkey.pack_command(command)
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._connection.send_packed_command(packed, check_health=False)
                    return await self._connection.read_response()
            except TimeoutError as error:
                raise valkey.TimeoutError(f"no answer within {self._timeout_s:g} s") from error

    async def aclose(self) -> None:
        """Close the connection; again is fine."""
        await self._connection.disconnect()
