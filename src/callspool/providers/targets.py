"""Where a provider may lead a download to: which hosts, and then to which of their addresses.

A name is resolved here once, every address is looked at, and the connection goes to the very one that was looked at: a
name server that answers otherwise a moment later changes nothing.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import SplitResult, urlsplit

from callspool.domain.addresses import is_public
from callspool.domain.errors import FetchFailed
from callspool.domain.reasons import Reason

S3: Final = "any bucket of S3"
"""Stands for every host that serves buckets, and for no other of its owner's, such as rented machines."""

RESOLVE_TIME: Final = timedelta(seconds=10)

_S3_HOST: Final = re.compile(
    r"(?:[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\.)?"
    r"(?:s3|s3[.-][a-z]{2}(?:-[a-z]+){1,3}-[0-9]|s3\.dualstack\.[a-z]{2}(?:-[a-z]+){1,3}-[0-9]|s3-accelerate)"
    r"\.amazonaws\.com"
)


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be asked."""

    url: str
    pinned: str | None = None
    """The network address that its host must be asked at. None: whatever its name says."""


async def permitted(home: str, target: str, allowed: Collection[str], *, patience: timedelta = RESOLVE_TIME) -> Target:
    """Return an address that a provider at *home* gave us, if it may be asked. Raises `FetchFailed`.

    *patience* is how long its name may take to be resolved.
    """
    try:
        if origin_of(target) == origin_of(home):
            return Target(target)
        if _is_allowed(home, target, allowed) and (found := await _look_up(home, target, patience)) is not None:
            return found
    except ValueError:
        raise FetchFailed(Reason.REDIRECT_REFUSED, "led to an address that cannot be read") from None
    where = urlsplit(target)
    raise FetchFailed(Reason.REDIRECT_REFUSED, f"led to {where.scheme[:10]}://{(where.hostname or '')[:100]}")


def is_host(host: str, allowed: Collection[str]) -> bool:
    """Say whether *host* is one of those allowed: a name, the end of one (``.example.com``), or a bucket (`S3`)."""
    return any(
        host == one or (one.startswith(".") and host.endswith(one)) or (one == S3 and _S3_HOST.fullmatch(host))
        for one in allowed
    )


def origin_of(url: str) -> str:
    """Return scheme, host and port of *url*, the port always written. Raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http(s) address")
    return f"{parts.scheme}://{_bracketed(parts)}:{port_of(parts)}"


def port_of(parts: SplitResult) -> int:
    """Return the port that is asked. Raises `ValueError`."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def _is_allowed(home: str, target: str, allowed: Collection[str]) -> bool:
    parts = urlsplit(target)
    host = (parts.hostname or "").lower()
    if parts.username or parts.password:
        return False
    if _is_loopback(host):
        # The simulator's two origins; a real provider can never lead us to this machine.
        return _is_loopback(urlsplit(home).hostname or "")
    return parts.scheme == "https" and is_host(host, allowed)


async def _look_up(home: str, url: str, patience: timedelta) -> Target | None:
    """Return the target, pinned to an address of its host, if every one of them is public: a name may lead inside."""
    parts = urlsplit(url)
    if _is_loopback(parts.hostname or "") and _is_loopback(urlsplit(home).hostname or ""):
        return Target(url)
    try:
        async with asyncio.timeout(patience.total_seconds()):
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(parts.hostname, port_of(parts), type=socket.SOCK_STREAM)
    except OSError:  # a TimeoutError is one
        raise FetchFailed(Reason.UNREACHABLE, "the address of a redirect is not known") from None
    addresses = [str(address[0]) for *_, address in found]
    return Target(url, addresses[0]) if all(is_public(address) for address in addresses) else None


def _bracketed(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    return f"[{host}]" if ":" in host else host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
