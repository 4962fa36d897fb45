"""Clients of a Valkey Cluster that come anew while a node hangs."""

from typing import Any
from urllib.parse import urlsplit

import valkey
from valkey._parsers import AsyncCommandsParser
from valkey.asyncio.cluster import ClusterNode, ValkeyCluster

from callspool.scheduler.address import nodes

_PORT = 6379


class _FirstKey(AsyncCommandsParser):
    """Asks nobody which commands there are, so as to find their keys: the first primary would be asked, and may hang.

    Our commands are sent to a node that is named, or have their one key in front. (valkey-py's client for threads asks
    another node where one does not answer.)
    """

    async def initialize(self, node: ClusterNode | None = None) -> None:
        pass

    async def get_keys(self, *args: Any) -> tuple[str, ...] | None:
        return args[1:2]


class Cluster(ValkeyCluster):
    """A client for the event loop, of commands that have their one key in front."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands_parser = _FirstKey()


def connect(url: str, timeout_s: float) -> ValkeyCluster:
    """Prepare a client; nothing is sent yet."""
    cluster: ValkeyCluster = Cluster.from_url(
        nodes(url)[0],
        startup_nodes=[ClusterNode(*there) for there in _named(url)],
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        # By itself it would try a node that hangs ten times.
        connection_error_retry_attempts=0,
        cluster_error_retry_attempts=0,
    )
    return cluster


def connect_blocking(url: str, timeout_s: float) -> valkey.ValkeyCluster:
    """Make a client for a thread; it asks for its nodes at once."""
    cluster: valkey.ValkeyCluster = valkey.ValkeyCluster.from_url(  # type: ignore[no-untyped-call]
        nodes(url)[0],
        startup_nodes=[valkey.cluster.ClusterNode(*there) for there in _named(url)],  # type: ignore[no-untyped-call]
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
    )
    return cluster


def _named(url: str) -> list[tuple[str, int]]:
    named = [urlsplit(node) for node in nodes(url)]
    return [(node.hostname or "", node.port or _PORT) for node in named]
