"""A client of one Valkey with as little as possible between caller and socket.

valkey-py's own starts a task and two time limits for each command, looks first whether the connection still stands,
and packs in Python. After a rest, when nothing is in the processor's caches, that takes longer than Valkey takes for
a turn. Its connections are used here, without its client.
"""

import asyncio
from typing import Any

import libvalkey
import valkey
from valkey.asyncio import ConnectionPool
from valkey.asyncio.connection import AbstractConnection


class Direct:
    """As many connections as there are commands under way at once. Close it."""

    def __init__(self, url: str, timeout_s: float) -> None:
        # The pool is only what reads the address; it holds no connection.
        self._pool = ConnectionPool.from_url(url, socket_connect_timeout=timeout_s, socket_timeout=None)
        self._free: list[AbstractConnection] = []
        self._timeout_s = timeout_s
        self._is_closed = False

    async def execute_command(self, *command: str | bytes | int | float) -> Any:
        """Send a command and return what is answered; connect first where that is needed.

        Raises `valkey.ValkeyError`. Where a connection broke the others are not trusted either: who tries again
        connects anew.
        """
        packed = libvalkey.pack_command(command)
        connection = self._free.pop() if self._free else self._make()
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.send_packed_command(packed, check_health=False)
                return await connection.read_response()
        except TimeoutError as error:
            raise valkey.TimeoutError(f"no answer within {self._timeout_s:g} s") from error
        except valkey.ConnectionError:
            await self._disconnect_all()
            raise
        finally:
            if connection.is_connected and not self._is_closed:
                self._free.append(connection)
            else:
                await connection.disconnect(nowait=True)

    def _make(self) -> AbstractConnection:
        made: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        return made

    async def _disconnect_all(self) -> None:
        free, self._free = self._free, []
        for one in free:
            await one.disconnect()

    async def aclose(self) -> None:
        """Close the connections, those under way when they were answered; again is fine."""
        self._is_closed = True
        await self._disconnect_all()
