"""How the scheduler's functions are called: loaded where they are missing, errors turned into ours."""

import asyncio
import math
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Final

import valkey
from valkey.asyncio import Valkey
from valkey.asyncio.cluster import ValkeyCluster

from callspool.domain.errors import OtherLayout, SchedulerUnavailable
from callspool.scheduler import cluster
from callspool.scheduler.address import is_cluster, nodes
from callspool.scheduler.direct import Direct
from callspool.scheduler.keys import Keys
from callspool.scheduler.library import FAMILY, UNUSED_MS, is_missing, library, names

CONFIRM_EVERY_S: Final = 5.0
"""How often who has no leases asks whether its layout is in force."""

NO_ANSWER: Final = (valkey.ValkeyError, valkey.exceptions.ValkeyClusterException, OSError)
"""What a client raises instead of an answer. That no node of a cluster can be reached is none of its other errors."""

_AWAY_AFTER_S: Final = 0.25
"""A layout's node of a cluster that takes longer is away, for who works on other nodes."""


def shard_of(pool: str, count: int) -> int:
    """Return the number of the shard, 0 to *count* - 1, that a pool lies in."""
    return zlib.crc32(pool.encode()) % count


def shard_names(count: int) -> tuple[str, ...]:
    """Return the hash tags of a layout of *count* shards. Those of two layouts have no key in common."""
    return tuple(f"{count}.{index}" for index in range(count))


def connect(url: str, timeout_s: float) -> Direct | ValkeyCluster:
    """Prepare a client; nothing is sent yet."""
    return cluster.connect(url, timeout_s) if is_cluster(url) else Direct(nodes(url)[0], timeout_s)


def connect_blocking(url: str, timeout_s: float) -> valkey.Valkey | valkey.ValkeyCluster:
    """Prepare a client for a thread. That of a cluster asks for its nodes at once."""
    if is_cluster(url):
        return cluster.connect_blocking(url, timeout_s)
    client: valkey.Valkey = valkey.Valkey.from_url(
        nodes(url)[0], socket_timeout=timeout_s, socket_connect_timeout=timeout_s
    )
    return client


@asynccontextmanager
async def one_node(url: str, timeout_s: float = 5.0) -> AsyncIterator[Valkey]:
    """Give a client of the first named node that answers: enough for messages, which a cluster passes on to all.

    Raises `SchedulerUnavailable` where none does within *timeout_s*; its own errors are the client's.
    """
    named = nodes(url)
    each_s = timeout_s / len(named)
    for number, address in enumerate(named, 1):
        node: Valkey = Valkey.from_url(address, socket_timeout=each_s, socket_connect_timeout=each_s)
        try:
            try:
                with unavailable():
                    await node.ping()
            except SchedulerUnavailable:
                if number == len(named):
                    raise
                continue
            yield node
            return
        finally:
            with suppress(*NO_ANSWER):
                await node.aclose()


class _Unavailable:
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NO_ANSWER):
            raise SchedulerUnavailable(f"Valkey does not answer: {error}") from error
        # What uvloop says of a connection that broke a moment before the writing; asyncio has an OSError for it.
        if isinstance(error, RuntimeError) and "the handler is closed" in str(error):
            raise SchedulerUnavailable("Valkey does not answer: the connection broke.") from error


def unavailable() -> AbstractContextManager[None]:
    """Turn whatever Valkey says instead of an answer (READONLY, OOM, LOADING, no connection) into ours."""
    return _Unavailable()


@dataclass(frozen=True, slots=True)
class Health:
    """What an operator wants to know of a server."""

    version: str
    append_only: bool
    eviction: str
    round_trip: timedelta


@dataclass(frozen=True, slots=True)
class InForce:
    """The layout that is written in Valkey."""

    shards: int
    """0: none is written."""
    generation: int
    quiet_ms: int
    """For how long nobody was heard who works with it."""


def other_layout(in_force: int, mine: int) -> OtherLayout:
    """Return the error of a process that works with another number of shards."""
    return OtherLayout(
        f"This Valkey works with CALLSPOOL_SHARDS={in_force} now, this process with {mine}: it gets nothing to do. "
        f"Start it again with {in_force}."
    )


async def _node_of(client: ValkeyCluster, key: str) -> dict[str, Any]:
    """Say which node serves a key: the client would ask the first of them for each function's keys."""
    await client.initialize()
    return {"target_nodes": client.get_node_from_key(key)}


class Functions:
    """Calls the functions of one shard, while the layout that it is of is in force. Close it.

    Whether it is is asked again with a call that comes *confirm_every_s* after the last time (None: never).
    """

    def __init__(
        self,
        url: str,
        shard: str = "1.0",
        *,
        timeout_s: float = 5.0,
        confirm_every_s: float | None = CONFIRM_EVERY_S,
    ) -> None:
        self.url = url
        self.keys = Keys(shard)
        self.client = connect(url, timeout_s)
        self.confirmed_at = -math.inf
        """By the monotonic clock: the moment before the last answer that our layout is in force was asked for."""
        self._confirm_every_s = confirm_every_s

    async def call(self, name: str, *args: str | int | float) -> Any:
        """Call a function; once more where the connection was lost, because all may be repeated.

        Raises `SchedulerUnavailable`, `OtherLayout`.
        """
        if self._confirm_every_s is not None and monotonic() - self.confirmed_at >= self._confirm_every_s:
            await self.confirm()
        return await self._patiently(name, self.keys.prefix, args)

    async def confirm(self) -> None:
        """Ask whether our layout is in force. Raises `OtherLayout` where another one is."""
        before = monotonic()
        try:
            waits = isinstance(self.client, ValkeyCluster) and self.confirmed_at > -math.inf
            async with asyncio.timeout(_AWAY_AFTER_S if waits else None):
                found = await self.layout()
        except TimeoutError:
            pass  # as below
        except SchedulerUnavailable as error:
            if isinstance(error.__cause__, valkey.ResponseError):
                return  # a replica, or no memory: it may be looked at, and who writes hears it from the call itself
            # Its node of a cluster may be away while ours is there. Shards that made way are closed all the same.
            if not isinstance(self.client, ValkeyCluster):
                raise
        else:
            if found.shards not in {0, self.keys.count}:
                raise other_layout(found.shards, self.keys.count)
        self.confirmed_at = before

    async def layout(self, instead_of: str = "") -> InForce:
        """Return the layout that is written, or write ours in the place of the generation *instead_of*."""
        return InForce(*await self._patiently("layout", self.keys.layout, (self.keys.count, instead_of)))

    async def has(self, key: str) -> bool:
        """Say whether there is such a key."""
        with unavailable():
            return bool(await self.client.execute_command("EXISTS", key))

    async def _patiently(self, name: str, key: str, args: Sequence[str | int | float]) -> Any:
        with unavailable():
            try:
                return await self._call(name, args, key)
            except valkey.ConnectionError:  # the server was restarted since the last call, perhaps
                return await self._call(name, args, key)

    async def _call(self, name: str, args: Sequence[str | int | float], key: str) -> Any:
        command = ("FCALL", f"{library().name}_{name}", 1, key, *args)
        there = await _node_of(self.client, key) if isinstance(self.client, ValkeyCluster) else {}
        try:
            return await self.client.execute_command(*command, **there)
        except valkey.ResponseError as error:
            if not is_missing(error):
                raise
            await self._load()
            return await self.client.execute_command(*command, **there)

    async def _load(self) -> None:
        # On all primaries of a cluster: slots move.
        everywhere = self._on(ValkeyCluster.PRIMARIES)
        await self.client.execute_command("FUNCTION", "LOAD", "REPLACE", library().code, **everywhere)
        with suppress(valkey.ResponseError):  # a server that does not let us remove the unused keeps them
            listed = await self.client.execute_command("FUNCTION", "LIST", "LIBRARYNAME", f"{FAMILY}*", **everywhere)
            if others := sorted(names(listed) - {library().name}):
                for name in await self._call("unused", [UNUSED_MS, *others], self.keys.prefix):
                    await self.client.execute_command("FUNCTION", "DELETE", name.decode(), **everywhere)

    def _on(self, nodes: str) -> dict[str, str]:
        return {"target_nodes": nodes} if isinstance(self.client, ValkeyCluster) else {}

    async def publish(self, channel: str) -> None:
        """Ring a channel's bell; a cluster's nodes pass it on."""
        await self.client.execute_command("PUBLISH", channel, b"", **self._on(ValkeyCluster.RANDOM))

    async def health(self) -> Health:
        """Ask the server how it is set up; of a cluster, one of its nodes. Raises `SchedulerUnavailable`."""
        async with one_node(self.url) as node:
            with unavailable():
                before = monotonic()
                await node.ping()
                took = timedelta(seconds=monotonic() - before)
                info = await node.info()
        version = str(info.get("valkey_version") or info.get("redis_version"))
        return Health(version, bool(info.get("aof_enabled")), str(info.get("maxmemory_policy")), took)

    async def time(self) -> datetime:
        """Return the server's clock, by which leases run; of a cluster, one node's. Raises `SchedulerUnavailable`."""
        async with one_node(self.url) as node:
            with unavailable():
                seconds, microseconds = await node.time()
        return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(microseconds))

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
