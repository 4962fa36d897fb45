"""The bounds of what is sent to us: how large a request's body may be, and how long it may take to come.

No route has a use for more, and who it is that asks is known only after the body, so they hold for everybody.
"""

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callspool.api.problems import problem

MOST_BYTES: Final = 64 * 1024
MOST_DISCARDED: Final = 1024 * 1024
TIME_S: Final = 10.0

_CLOSE: Final = {"connection": "close"}
"""What else the sender says on this connection belongs to the body that nobody reads."""


class BoundedBodies:
    """Reads each body whole before the application hears of the request, or refuses it with 413 or 408."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body, or answer it."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(TIME_S):
                body = await _read(Request(scope, receive))
        except TimeoutError:
            await problem("too_slow", headers=_CLOSE)(scope, receive, send)
        except ClientDisconnect:
            return  # there is nobody to answer
        else:
            answer: ASGIApp | Response = self._app if body is not None else problem("too_large", headers=_CLOSE)
            await answer(scope, _again(body or b"", receive), send)


def _has_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


async def _read(request: Request) -> bytes | None:
    """Return the body; None: it is too large. It is read a little further, so that its sender can hear the refusal."""
    body = bytearray()
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received <= MOST_BYTES:
            body += chunk
        elif received > MOST_BYTES + MOST_DISCARDED:
            break
    return bytes(body) if received <= MOST_BYTES else None


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read, and after it whatever else is to be heard."""
    first: Message | None = {"type": "http.request", "body": body, "more_body": False}

    async def next_message() -> Message:
        nonlocal first
        message, first = first, None
        return message or await receive()

    return next_message
