"""One POST to a foreign URL that somebody typed in: into no private network, through no proxy, along no redirect.

The name is resolved here, every address is looked at, and the connection goes to the very address that was looked
at: a name server that answers otherwise a moment later changes nothing.
"""

import asyncio
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import SplitResult

from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError

from callspool.domain.addresses import is_public
from callspool.domain.errors import InvalidInput
from callspool.domain.webhook import Endpoint, check_url, headers

PATIENCE: Final = timedelta(seconds=20)
"""For the whole of it. Standard Webhooks asks receivers to answer within 15 s."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it."""

    status: int | None
    """None: nothing came."""
    error: str | None
    """None: it has arrived."""
    retry_after: timedelta | None = None


async def send(endpoint: Endpoint, message_id: str, body: bytes, now: datetime, *, private: bool) -> Answer:
    """Post *body*, signed. Never raises for what the endpoint or the way to it does."""
    try:
        parts = check_url(endpoint.url, private=private)
        async with asyncio.timeout(PATIENCE.total_seconds()):
            address = await _resolve(parts, private=private)
            return await _post(endpoint, parts, address, message_id, body, now)
    except (InvalidInput, _NotAllowed) as error:
        return Answer(None, str(error))
    except OSError as error:  # a timeout is one too
        late = isinstance(error, TimeoutError)
        return Answer(None, f"no answer within {PATIENCE.seconds} s" if late else "the host's name is not known")
    except PyreqwestError as error:
        late = isinstance(error, RequestTimeoutError)
        return Answer(None, f"no answer within {PATIENCE.seconds} s" if late else "no connection")


class _NotAllowed(Exception):
    """Its name leads to where no message may go."""


async def _resolve(parts: SplitResult, *, private: bool) -> str:
    found = await asyncio.get_running_loop().getaddrinfo(parts.hostname, _port(parts), type=socket.SOCK_STREAM)
    addresses = [str(address[0]) for *_, address in found]
    if not private and not all(is_public(address) for address in addresses):
        raise _NotAllowed("the host's name leads into a private network; CALLSPOOL_WEBHOOK_PRIVATE allows that")
    return addresses[0]


async def _post(
    endpoint: Endpoint, parts: SplitResult, address: str, message_id: str, body: bytes, now: datetime
) -> Answer:
    host = parts.hostname or ""
    builder = ClientBuilder().no_proxy().follow_redirects(False).timeout(PATIENCE).max_connections(1)
    async with builder.resolve(host, address, _port(parts)).build() as client:
        request = client.post(endpoint.url).body_bytes(body)
        named = {"Content-Type": "application/json", "User-Agent": "callspool"}
        sent = request.headers({**named, **headers(endpoint, message_id, body, now)}).build_streamed()
        async with sent as response:  # its body is nobody's business, and may have no end
            status = response.status
            if 200 <= status < 300:
                return Answer(status, None)
            wait = response.get_header("retry-after") or ""
            after = timedelta(seconds=int(wait)) if wait.isascii() and wait.isdigit() and len(wait) < 6 else None
            return Answer(status, f"it answered {status}", after)


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)
