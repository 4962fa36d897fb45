"""Who asks, where reverse proxies stand between: the address that the outermost of them saw.

Only a proxy that the operator named is believed, and only for this. What a provider signed is compared with the
public address that is set, whatever any proxy says.
"""

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from callspool.settings import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ClientAddress:
    """Puts the asking machine's address in the place of the last proxy's."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and scope["client"]:
            peer = scope["client"][0]
            asking = asking_address(peer, Headers(scope=scope).getlist("x-forwarded-for"), self._trusted)
            if asking != peer:
                scope = {**scope, "client": (asking, 0)}
        await self._app(scope, receive, send)


def asking_address(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Return the last address that is no proxy's of ours: what stands left of it, anybody can have written.

    *peer* has the connection, *forwarded* are the values of its X-Forwarded-For.
    """
    first = asking = _address(peer)
    for text in reversed(",".join(forwarded).split(",")):
        if asking is None or not any(asking in network for network in trusted):
            break
        before = _address(text.strip())
        if before is None:
            break
        asking = before
    return peer if asking == first else str(asking)


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address
