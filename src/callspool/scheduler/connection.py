"""How the scheduler's functions are called: loaded where they are missing, errors turned into ours."""

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from time import monotonic
from typing import Any

import valkey
from valkey.asyncio import Valkey

from callspool.domain.errors import SchedulerUnavailable
from callspool.scheduler.keys import Keys

LIBRARY = "callspool_1"
"""The functions' names carry a version: workers of two versions of the code run side by side."""


@functools.cache
def library() -> str:
    """Return the Lua library: the prelude, then every operation."""
    folder = files("callspool.scheduler") / "lua"
    operations = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".lua") and entry.name != "prelude.lua"),
        key=lambda entry: entry.name,
    )
    parts = [f"#!lua name={LIBRARY}", (folder / "prelude.lua").read_text(encoding="utf-8")]
    parts += [f"do\n{entry.read_text(encoding='utf-8')}\nend" for entry in operations]
    return "\n".join(parts)


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn whatever Valkey says instead of an answer (READONLY, OOM, LOADING, no connection) into ours."""
    try:
        yield
    except (valkey.ValkeyError, OSError) as error:
        raise SchedulerUnavailable(f"Valkey does not answer: {error}") from error


def is_missing(error: valkey.ResponseError) -> bool:
    """Say whether Valkey lost (or never had) the functions."""
    return "function not found" in str(error).lower()


@dataclass(frozen=True, slots=True)
class Health:
    """What an operator wants to know of a server."""

    version: str
    append_only: bool
    eviction: str
    round_trip: timedelta


class Functions:
    """Calls the functions of one shard. Make one for each process; close it."""

    def __init__(self, url: str, shard: str = "0", *, timeout_s: float = 5.0) -> None:
        self.keys = Keys(shard)
        self.client = Valkey.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)

    async def call(self, name: str, *args: str | int | float) -> Any:
        """Call a function. Raises `SchedulerUnavailable`."""
        with unavailable():
            try:
                return await self._call(name, args)
            except valkey.ResponseError as error:
                if not is_missing(error):
                    raise
                await self.client.function_load(library(), replace=True)
                return await self._call(name, args)

    async def _call(self, name: str, args: Sequence[str | int | float]) -> Any:
        return await self.client.execute_command("FCALL", f"{LIBRARY}_{name}", 1, self.keys.prefix, *args)

    async def health(self) -> Health:
        """Ask the server how it is set up. Raises `SchedulerUnavailable`."""
        with unavailable():
            before = monotonic()
            await self.client.ping()
            took = timedelta(seconds=monotonic() - before)
            info = await self.client.info()
        version = str(info.get("valkey_version") or info.get("redis_version"))
        return Health(version, bool(info.get("aof_enabled")), str(info.get("maxmemory_policy")), took)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
