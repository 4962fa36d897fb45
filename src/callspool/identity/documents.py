"""What an identity provider is asked for over HTTP: bounded, in time, along no redirect, through no proxy.

The operator names the issuer, which may be in a private network. What the issuer names may be so only if it is itself:
a public one leads nobody inside. Each name is resolved here and the connection goes to the address that was looked at.
"""

import asyncio
import ipaddress
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import SplitResult, urlencode, urlsplit

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from callspool.domain.addresses import is_public
from callspool.domain.errors import IdentityUnavailable

PATIENCE: Final = timedelta(seconds=10)
"""For the whole of one question."""
MOST_BYTES: Final = 512 * 1024

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON object and its status."""

    status: int
    body: Document


async def ask(
    issuer: str, url: str, *, form: Mapping[str, str] | None = None, authorization: str | None = None
) -> Answer:
    """Return the answer to a GET, or to a POST of *form*. Raises `IdentityUnavailable`, without what was sent."""
    parts = checked(issuer, url)
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            address = await _resolve(issuer, parts)
            return await _send(parts, url, address, form, authorization)
    except TimeoutError:
        raise IdentityUnavailable(f"{parts.hostname} did not answer within {PATIENCE.seconds} s") from None
    except (OSError, PyreqwestError):
        raise IdentityUnavailable(f"{parts.hostname} cannot be reached") from None


def checked(issuer: str, url: str) -> SplitResult:
    """Return the parts of an address that *issuer* may name. Raises `IdentityUnavailable`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise IdentityUnavailable("the issuer names an address that cannot be read") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host) and _is_local(issuer))
    if not host or not is_safe or parts.username or parts.fragment:
        raise IdentityUnavailable(f"the issuer names an address that is not https: {parts.scheme[:10]}://{host}")
    return parts


async def _resolve(issuer: str, parts: SplitResult) -> str:
    addresses, home = await _addresses(parts), urlsplit(issuer)
    leads_inside = parts.hostname != home.hostname and not _are_public(addresses)
    if leads_inside and _are_public(await _addresses(home)):
        raise IdentityUnavailable(f"the issuer names {parts.hostname}, which leads into a private network")
    return addresses[0]


def _are_public(addresses: Sequence[str]) -> bool:
    return all(is_public(one) for one in addresses)


async def _addresses(parts: SplitResult) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def _send(
    parts: SplitResult, url: str, address: str, form: Mapping[str, str] | None, authorization: str | None
) -> Answer:
    builder = ClientBuilder().no_proxy().follow_redirects(False).timeout(PATIENCE).max_connections(1)
    headers = {"Accept": "application/json", "User-Agent": "callspool"}
    if authorization is not None:
        headers["Authorization"] = authorization
    async with builder.resolve(parts.hostname or "", address, _port(parts)).build() as client:
        if form is None:
            request = client.get(url)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            request = client.post(url).body_bytes(urlencode(form).encode())
        async with request.headers(headers).build_streamed() as response:
            body = bytearray()
            while (chunk := await response.body_reader.read_chunk()) is not None:
                body += chunk
                if len(body) > MOST_BYTES:
                    raise IdentityUnavailable(f"{parts.hostname} sent more than {MOST_BYTES} bytes")
            return Answer(response.status, _read(parts, bytes(body)))


def _read(parts: SplitResult, body: bytes) -> Document:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise IdentityUnavailable(f"{parts.hostname} did not send a JSON object")
    return found


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _is_local(issuer: str) -> bool:
    return _is_loopback(urlsplit(issuer).hostname)


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
