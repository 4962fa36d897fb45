"""One request to an address, and what came back. No redirect is followed, no proxy of the environment is used."""

import asyncio
import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Final

_PATIENCE_S: Final = 10


class NoAnswer(Exception):
    """Nobody answered, or not in HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is looked at."""

    status: int
    kind: str
    """The media type of what came."""
    date: str
    location: str
    allows: str
    """The origin whose pages may read it."""


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


async def ask(url: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """GET, or POST a body. Raises `NoAnswer`."""
    request = urllib.request.Request(url, body, dict(headers or {}))  # noqa: S310 -- http and https: settings are checked
    return await asyncio.to_thread(_send, request)


def _send(request: urllib.request.Request) -> Answer:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())
    try:
        with opener.open(request, timeout=_PATIENCE_S) as response:
            return _read(response.status, response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return _read(error.code, error.headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NoAnswer(str(getattr(reason, "strerror", None) or reason)) from None


def _read(status: int, headers: Message) -> Answer:
    date, location, allows = (headers.get(name) or "" for name in ("Date", "Location", "Access-Control-Allow-Origin"))
    return Answer(status, headers.get_content_type(), date, location, allows)
