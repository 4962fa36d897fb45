"""The live stream of what happens to recordings (server-sent events)."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.types import Receive, Scope, Send

from callspool.api.auth import Caller, Principal
from callspool.api.live import Live
from callspool.api.problems import Refusal, responses
from callspool.api.schemas import LiveEvent
from callspool.playback.serving import until_gone

KEEP_ALIVE_S: Final = 15.0
SEND_TIME_S: Final = 30.0
MOST_STREAMS: Final = 100
"""Of one key or user, in one process: a page that leaks streams must not take those of others."""

router = APIRouter(prefix="/api", tags=["events"])


class EventStream(Response):
    """Sends frames until they end, the client goes, or it does not read for a while."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes], *, send_time_s: float = SEND_TIME_S) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._frames = frames
        self._send_time_s = send_time_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send_all(send))
        gone = asyncio.create_task(until_gone(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)
            await self._frames.aclose()

    async def _send_all(self, send: Send) -> None:
        with contextlib.suppress(TimeoutError):
            async for frame in self._frames:
                async with asyncio.timeout(self._send_time_s):
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


@router.get(
    "/events",
    operation_id="listenToEvents",
    response_class=Response,
    responses={200: {"model": LiveEvent, "description": "Events named `recording`"}, **responses(422, 429)},
)
async def listen_to_events(
    request: Request,
    caller: Caller,
    after: Annotated[
        int | None, Query(ge=0, description="The last number seen: what came since is sent first.")
    ] = None,
    last_event_id: Annotated[int | None, Header(ge=0, description="The same, as browsers send it.")] = None,
) -> EventStream:
    """Listen to what happens to recordings. A client that reads too slowly is cut and comes back with its number."""
    live: Live = request.app.state.live
    if live.count_of(caller.actor) >= MOST_STREAMS:
        raise Refusal("too_many_streams")
    seen = last_event_id if last_event_id is not None else after
    return EventStream(_stream(live, caller, seen))


async def _stream(live: Live, caller: Principal, seen: int | None) -> AsyncGenerator[bytes]:
    with live.listen(caller.tenant_id, caller.actor) as listener:
        last = await live.position()
        if seen is not None:
            last = min(seen, last)  # a number from the future is from before a restore: it would silence the stream
        yield f": callspool {last}\nretry: 2000\n\n".encode()
        if seen is not None:
            async for event in live.since(caller.tenant_id, last):
                last = event.seq
                yield _frame(event)
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    next_event = await listener.next()
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if next_event is None:
                return
            if next_event.seq > last:
                last = next_event.seq
                yield _frame(next_event)


def _frame(event: LiveEvent) -> bytes:
    return f"id: {event.seq}\nevent: recording\ndata: {event.model_dump_json()}\n\n".encode()
