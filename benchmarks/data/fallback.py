"""The client that stands in reserve (docs/adr/0003), behind the same port as the one in use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import httpx2

from benchmarks.data.media_only import MediaOnly
from callspool.domain.ports.provider import Media
from callspool.domain.recording import Recording
from callspool.domain.tenant import Account


class _Body:
    """`callspool.domain.ports.provider.Media`."""

    offset = 0
    channels: int | None = None
    duration_s: float | None = None
    kind: str | None = None

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.length: int | None = int(response.headers["content-length"])
        self.etag: str | None = response.headers.get("etag")

    def chunks(self) -> AsyncIterator[bytes]:
        chunks: AsyncIterator[bytes] = self._response.aiter_raw()
        return chunks


class Fallback(MediaOnly):
    """`callspool.domain.ports.provider.Provider`, as far as a download goes."""

    def __init__(self) -> None:
        self._client = httpx2.AsyncClient(follow_redirects=False, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def open(
        self, account: Account, recording: Recording, *, offset: int = 0, etag: str | None = None
    ) -> AsyncIterator[Media]:
        url = f"{account.base_url}/{recording.provider_recording_id}.wav"
        async with self._client.stream(
            "GET", url, auth=(account.account_sid, account.auth_token), headers={"Accept-Encoding": "identity"}
        ) as response:
            response.raise_for_status()
            yield _Body(response)
