"""A small JSON client for the demo's two servers, both on this machine."""

import asyncio
import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from callspool.domain.errors import CallspoolError


class Http:
    """Asks one server."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        # No proxy of the environment is to come between us and our own machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    async def get(self, path: str) -> Any:
        """Return the JSON answer."""
        return json.loads(await self.read(path))

    async def read(self, path: str) -> bytes:
        """Return the answer's bytes."""
        return await asyncio.to_thread(self._send, path, None)

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send JSON and return the JSON answer."""
        answer = await asyncio.to_thread(self._send, path, json.dumps(body).encode())
        return json.loads(answer) if answer else None

    def _send(self, path: str, body: bytes | None) -> bytes:
        headers = {**self._headers, "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, body, headers)  # noqa: S310 -- our own servers
        try:
            with self._opener.open(request, timeout=60) as response:
                answer: bytes = response.read()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            raise CallspoolError(
                f"{request.get_method()} {self.url + path} was answered {error.code}: {said}"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", None) or error
            raise CallspoolError(f"{self.url + path} gave no answer: {why}") from None
        return answer
