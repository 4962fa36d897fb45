"""Sends a recording while it comes: what the worker has so far, then what comes, at the provider's own speed.

The body is completed only when the recording is ready. In every other case the connection is broken off, so that
nobody takes a part, or what the check refused, for a recording.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from callspool.domain.errors import Unavailable
from callspool.domain.recording import Recording, State
from callspool.playback.heard import Heard
from callspool.playback.relay import Cut, Flow
from callspool.playback.serving import SEND_TIME, until_gone

SILENCE: Final = timedelta(seconds=2)
"""After so long without a byte the store is asked whether the attempt still runs: a worker may have died mute."""


class GrowingResponse(Response):
    """200 with bytes of an open `Flow`, which it closes."""

    def __init__(
        self,
        flow: Flow,
        recording: Recording,
        *,
        headers: Mapping[str, str],
        state: Callable[[], Awaitable[State | None]],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        """*state* tells where the recording stands by this very attempt; None: another one has it by now."""
        super().__init__(headers={**headers, "content-type": flow.content_type, "cache-control": "no-store"})
        del self.headers["content-length"]
        self.heard: Heard | None = None
        """Told of what is sent, where somebody wants to know."""
        self._flow = flow
        self._state = state
        self._close = close
        self._log = structlog.get_logger("callspool.playback").bind(
            tenant_id=recording.tenant_id, recording_id=recording.id, attempt=recording.attempt
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; return without an end where there is none, which makes the server break the connection off."""
        with self.heard.answering() if self.heard is not None else contextlib.nullcontext():
            await self._answer(receive, send)

    async def _answer(self, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(until_gone(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            gone.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)
            await self._close()
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sent = 0
        try:
            while (data := await self._next()) is not None:
                async with asyncio.timeout(SEND_TIME.total_seconds()):
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                if self.heard is not None and data:
                    self.heard.add(sent, sent + len(data))
                sent += len(data)
            if await self._state() is not State.READY:
                raise Cut("the store does not say that it is ready")
        except (Cut, Unavailable, TimeoutError) as why:
            self._log.warning("playback.cut", why=str(why) or "the client does not read")
            return
        if self.heard is not None:
            self.heard.size = sent
        await send({"type": "http.response.body", "body": b""})

    async def _next(self) -> bytes | None:
        """Return the next bytes. Raises `Cut` also where nothing comes and the attempt is over."""
        coming = asyncio.ensure_future(self._flow.next())
        try:
            while not coming.done():
                await asyncio.wait({coming}, timeout=SILENCE.total_seconds())
                if not coming.done() and not await self._is_coming():
                    raise Cut("the attempt is over")
            return coming.result()
        finally:
            coming.cancel()

    async def _is_coming(self) -> bool:
        try:
            return await self._state() in (State.FETCHING, State.READY)
        except Unavailable:
            return True  # the worker waits for the store as well
