"""How the scheduler's functions are called: loaded where they are missing, errors turned into ours."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final

import valkey
from valkey.asyncio import Valkey
from valkey.asyncio.cluster import ValkeyCluster

from callspool.domain.errors import SchedulerUnavailable
from callspool.scheduler.keys import Keys
from callspool.scheduler.library import FAMILY, UNUSED_MS, is_missing, library, names

CLUSTER: Final = "valkey+cluster://"
"""How an address begins that leads to a Valkey Cluster: any of its nodes."""


def shard_of(pool: str, count: int) -> int:
    """Return the number of the shard, 0 to *count* - 1, that a pool lies in."""
    return zlib.crc32(pool.encode()) % count


def shard_names(count: int) -> tuple[str, ...]:
    """Return the hash tags of a layout of *count* shards. Those of two layouts have no key in common."""
    return tuple(f"{count}.{index}" for index in range(count))


def connect(url: str, timeout_s: float) -> Valkey | ValkeyCluster:
    """Prepare a client; nothing is sent yet."""
    client: Valkey | ValkeyCluster
    if url.startswith(CLUSTER):
        client = ValkeyCluster.from_url(_first_node(url), socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
    else:
        client = Valkey.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
    return client


def connect_blocking(url: str, timeout_s: float) -> valkey.Valkey | valkey.ValkeyCluster:
    """Prepare a client for a thread. That of a cluster asks for its nodes at once."""
    client: valkey.Valkey | valkey.ValkeyCluster
    if url.startswith(CLUSTER):
        client = valkey.ValkeyCluster.from_url(  # type: ignore[no-untyped-call]
            _first_node(url), socket_timeout=timeout_s, socket_connect_timeout=timeout_s
        )
    else:
        client = valkey.Valkey.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
    return client


def connect_node(url: str) -> Valkey:
    """Prepare a client of one node: enough for messages, which a cluster passes on to all."""
    client: Valkey = Valkey.from_url(_first_node(url) if url.startswith(CLUSTER) else url)
    return client


def _first_node(url: str) -> str:
    return "valkey://" + url.removeprefix(CLUSTER)


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn whatever Valkey says instead of an answer (READONLY, OOM, LOADING, no connection) into ours."""
    try:
        yield
    except (valkey.ValkeyError, OSError) as error:
        raise SchedulerUnavailable(f"Valkey does not answer: {error}") from error
    except RuntimeError as error:
        # What uvloop says of a connection that broke a moment before the writing; asyncio has an OSError for it.
        if "the handler is closed" not in str(error):
            raise
        raise SchedulerUnavailable("Valkey does not answer: the connection broke.") from error


@dataclass(frozen=True, slots=True)
class Health:
    """What an operator wants to know of a server."""

    version: str
    append_only: bool
    eviction: str
    round_trip: timedelta


class Functions:
    """Calls the functions of one shard. Close it."""

    def __init__(self, url: str, shard: str = "1.0", *, timeout_s: float = 5.0) -> None:
        self.url = url
        self.keys = Keys(shard)
        self.client = connect(url, timeout_s)

    async def call(self, name: str, *args: str | int | float) -> Any:
        """Call a function; once more where the connection was lost, because all may be repeated.

        Raises `SchedulerUnavailable`.
        """
        with unavailable():
            try:
                return await self._call(name, args)
            except valkey.ConnectionError:  # the server was restarted since the last call, perhaps
                return await self._call(name, args)

    async def _call(self, name: str, args: Sequence[str | int | float]) -> Any:
        command = ("FCALL", f"{library().name}_{name}", 1, self.keys.prefix, *args)
        try:
            return await self.client.execute_command(*command)
        except valkey.ResponseError as error:
            if not is_missing(error):
                raise
            await self._load()
            return await self.client.execute_command(*command)

    async def _load(self) -> None:
        # On all primaries of a cluster: slots move.
        everywhere = self._on(ValkeyCluster.PRIMARIES)
        await self.client.execute_command("FUNCTION", "LOAD", "REPLACE", library().code, **everywhere)
        with suppress(valkey.ResponseError):  # a server that does not let us remove the unused keeps them
            listed = await self.client.execute_command("FUNCTION", "LIST", "LIBRARYNAME", f"{FAMILY}*", **everywhere)
            if others := sorted(names(listed) - {library().name}):
                for name in await self._call("unused", [UNUSED_MS, *others]):
                    await self.client.execute_command("FUNCTION", "DELETE", name.decode(), **everywhere)

    def _on(self, nodes: str) -> dict[str, str]:
        return {"target_nodes": nodes} if isinstance(self.client, ValkeyCluster) else {}

    async def publish(self, channel: str) -> None:
        """Ring a channel's bell; a cluster's nodes pass it on."""
        await self.client.execute_command("PUBLISH", channel, b"", **self._on(ValkeyCluster.RANDOM))

    async def health(self) -> Health:
        """Ask the server how it is set up; of a cluster, one of its nodes. Raises `SchedulerUnavailable`."""
        node = connect_node(self.url)
        try:
            with unavailable():
                before = monotonic()
                await node.ping()
                took = timedelta(seconds=monotonic() - before)
                info = await node.info()
        finally:
            await node.aclose()
        version = str(info.get("valkey_version") or info.get("redis_version"))
        return Health(version, bool(info.get("aof_enabled")), str(info.get("maxmemory_policy")), took)

    async def time(self) -> datetime:
        """Return the server's clock, by which leases run; of a cluster, one node's. Raises `SchedulerUnavailable`."""
        node = connect_node(self.url)
        try:
            with unavailable():
                seconds, microseconds = await node.time()
        finally:
            await node.aclose()
        return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(microseconds))

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
