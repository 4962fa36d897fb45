"""Read a JSON document of a provider's API: bounded, with the same care for credentials as a download."""

import json
from typing import Final

from callspool.domain.errors import FetchFailed
from callspool.domain.reasons import Reason
from callspool.providers.http import Bearer, Credentials, Downloads

_MOST_BYTES: Final = 16 * 1024 * 1024


async def read_object(downloads: Downloads, url: str, credentials: Credentials | Bearer) -> dict[str, object]:
    """Return the JSON object at *url*. Raises `FetchFailed`, as `Refused` where the status says no."""
    body = bytearray()
    async with downloads.open(url, credentials) as media:
        async for chunk in media.chunks():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise FetchFailed(Reason.PROVIDER_ERROR, f"a document of more than {_MOST_BYTES >> 20} MiB")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise FetchFailed(Reason.PROVIDER_ERROR, "the answer is not a JSON object")
    return document
