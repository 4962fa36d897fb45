"""Open a download over HTTP and say once, in our words, what went wrong with it.

Every provider's module uses this: redirects are followed by hand, so that credentials never leave the
origin they belong to; nothing is inflated on the way; no proxy is taken from the environment; a body that
breaks, stalls or ends early is told apart. It never retries: that is the scheduler's business.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urljoin, urlsplit

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError
from pyreqwest.request import RequestBuilder
from pyreqwest.response import Response

from callspool.domain.errors import FetchFailed
from callspool.domain.reasons import Reason
from callspool.providers.http_errors import broken_body, no_answer, no_answer_in_time, refusal, stalled_body
from callspool.providers.targets import Target, origin_of, permitted, port_of

MOST_REDIRECTS: Final = 3

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What Basic authentication sends, to one origin only."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """A key that is sent as it is, to one origin only."""

    key: str


class HttpMedia:
    """A body that is being received: the `Media` port."""

    def __init__(
        self, response: Response, offset: int, length: int | None, etag: str | None, stall_timeout: timedelta
    ) -> None:
        self._response = response
        self._stall_s = stall_timeout.total_seconds()
        self._offset = offset
        self._length = length
        self._etag = etag
        self.channels: int | None = None
        """How many were asked for; the provider's module knows."""
        self.duration_s: float | None = None
        """As the provider says beside the file; its module knows."""
        self.kind: str | None = None
        """The form that was asked for; the provider's module knows."""

    @property
    def length(self) -> int | None:
        """Bytes of the whole file, where the server says."""
        return self._length

    @property
    def offset(self) -> int:
        """Where this body begins."""
        return self._offset

    @property
    def etag(self) -> str | None:
        """The strong entity tag, if there is one."""
        return self._etag

    async def chunks(self) -> AsyncIterator[memoryview]:
        """Yield the body as it comes. Raises `FetchFailed`: stalled, interrupted or truncated."""
        reader = self._response.body_reader
        while True:
            try:
                async with asyncio.timeout(self._stall_s):
                    chunk = await reader.read_chunk()
                    _heed_cancellation()  # within: what the time limit asks for may be swallowed as well
            except PyreqwestError as error:
                raise broken_body(error) from None
            except TimeoutError:
                raise stalled_body() from None
            if chunk is None:
                return
            yield memoryview(chunk)  # a copy of it would cost more than its hash


class Downloads:
    """One HTTP client for all downloads of a process: connections are kept and used again."""

    def __init__(
        self,
        *,
        connect_timeout: timedelta,
        first_byte_timeout: timedelta,
        stall_timeout: timedelta,
        allowed_hosts: frozenset[str] = frozenset(),
    ) -> None:
        """Set how long to wait: to connect (names are resolved in that time too), for an answer, for more of it."""
        self._connect_timeout = connect_timeout
        self._first_byte_timeout = first_byte_timeout
        self._stall_timeout = stall_timeout
        self._allowed_hosts = allowed_hosts
        self._client: Client | None = None

    @asynccontextmanager
    async def open(
        self,
        where: str | Target,
        credentials: Credentials | Bearer | None,
        *,
        offset: int = 0,
        etag: str | None = None,
        also: Collection[str] = (),
    ) -> AsyncIterator[HttpMedia]:
        """GET *where*, from *offset* on if *etag* is strong and still holds. Raises `FetchFailed`.

        A redirect may lead to its own origin, to the allowed hosts and to those in *also*.
        """
        resume = offset > 0 and etag is not None and is_strong(etag)
        headers = {"Range": f"bytes={offset}-", "If-Range": etag} if resume and etag is not None else {}
        target = where if isinstance(where, Target) else Target(where)
        home = target
        for _ in range(MOST_REDIRECTS + 1):
            async with self._client_for(target) as client:
                request = client.get(target.url).headers({"Accept-Encoding": "identity", **headers})
                if origin_of(target.url) == origin_of(home.url):
                    request = _signed_in(request, credentials)
                sent = request.streamed_read_buffer_limit(0).build_streamed()
                try:
                    async with asyncio.timeout(self._first_byte_timeout.total_seconds()):
                        response = await sent.__aenter__()
                except PyreqwestError as error:  # its own time limits among them, which are TimeoutErrors too
                    raise no_answer(error) from None
                except TimeoutError:
                    raise no_answer_in_time() from None
                try:
                    _heed_cancellation()
                    if response.status in _REDIRECTS:
                        target = await self._next_hop(home, target, response, also)
                        continue
                    if response.status == 416 and headers:
                        # A whole download is not begun here: the scheduler counts those.
                        raise FetchFailed(Reason.PROVIDER_ERROR, "the file is shorter than what came of it")
                    yield await _accept(response, offset if headers else 0, self._stall_timeout)
                    return
                finally:
                    await sent.__aexit__(None, None, None)
        raise FetchFailed(Reason.REDIRECT_REFUSED, f"more than {MOST_REDIRECTS} redirects")

    async def delete(self, url: str, credentials: Credentials | Bearer) -> None:
        """DELETE what is at *url*. Raises `FetchFailed`, as `Refused` where the status says no. Follows nothing."""
        sent = _signed_in(self._connected().delete(url), credentials).build_streamed()
        try:
            async with sent as response:
                _heed_cancellation()
                if not 200 <= response.status < 300:
                    raise await refusal(response)
        except PyreqwestError as error:
            raise no_answer(error) from None

    async def close(self) -> None:
        """Close the connections. A later download opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _connected(self) -> Client:
        if self._client is None:
            self._client = self._builder().pool_idle_timeout(timedelta(seconds=30)).build()
        return self._client

    def _builder(self) -> ClientBuilder:
        builder = ClientBuilder().follow_redirects(False).referer(False).no_proxy().user_agent("callspool")
        builder = builder.gzip(False).brotli(False).zstd(False).deflate(False)
        # The second only for what is not timed here, an error's body for one: it takes a first byte for any other.
        longest = max(self._first_byte_timeout, self._stall_timeout)
        return builder.connect_timeout(self._connect_timeout).read_timeout(longest)

    @asynccontextmanager
    async def _client_for(self, target: Target) -> AsyncIterator[Client]:
        """Give a client that asks the target where it was found: a pinned one has a client of its own."""
        if target.pinned is None:
            yield self._connected()
            return
        parts = urlsplit(target.url)
        builder = self._builder().resolve(parts.hostname or "", target.pinned, port_of(parts))
        client = await asyncio.to_thread(builder.build)  # it reads the machine's certificates
        async with client:
            yield client

    async def _next_hop(self, home: Target, here: Target, response: Response, also: Collection[str]) -> Target:
        location = response.get_header("location")
        if not location:
            raise FetchFailed(Reason.PROVIDER_ERROR, f"status {response.status} without a Location")
        try:
            url = urljoin(here.url, location)
            for known in (home, here):
                if origin_of(url) == origin_of(known.url):
                    return Target(url, known.pinned)
        except ValueError:
            raise FetchFailed(Reason.REDIRECT_REFUSED, "led to an address that cannot be read") from None
        return await self.permitted(home.url, url, also)

    async def permitted(self, home: str, url: str, also: Collection[str] = ()) -> Target:
        """Return an address that a provider at *home* gave us, if it may be asked. Raises `FetchFailed`."""
        return await permitted(home, url, self._allowed_hosts | frozenset(also), patience=self._connect_timeout)


def is_strong(etag: str) -> bool:
    """Say whether an entity tag promises the same bytes (RFC 9110, 8.8.3)."""
    return len(etag) >= 2 and etag.startswith('"') and etag.endswith('"')


async def _accept(response: Response, offset: int, stall_timeout: timedelta) -> HttpMedia:
    if response.status not in (200, 206):
        raise await refusal(response)
    encoding = response.get_header("content-encoding")
    if encoding not in (None, "", "identity"):
        raise FetchFailed(Reason.PROVIDER_ERROR, f"sent with content encoding {encoding[:40]}")
    etag = response.get_header("etag")
    strong = etag if etag is not None and is_strong(etag) else None
    if response.status == 200:
        length = response.get_header("content-length")
        known = int(length) if length and length.isdigit() else None
        return HttpMedia(response, 0, known, strong, stall_timeout)
    found = _CONTENT_RANGE.fullmatch(response.get_header("content-range") or "")
    if found is None or int(found[1]) != offset:
        raise FetchFailed(Reason.PROVIDER_ERROR, "status 206 with another range than was asked for")
    return HttpMedia(response, offset, None if found[3] == "*" else int(found[3]), strong, stall_timeout)


def _signed_in(request: RequestBuilder, credentials: Credentials | Bearer | None) -> RequestBuilder:
    match credentials:
        case Credentials(username, password):
            return request.basic_auth(username, password)
        case Bearer(key):
            return request.bearer_auth(key)
    return request


def _heed_cancellation() -> None:
    """Raise the cancellation that pyreqwest may have swallowed: it does where an answer comes at the same moment."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
