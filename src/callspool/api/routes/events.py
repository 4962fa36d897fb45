"""The live stream of what happens to recordings (server-sent events)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from callspool.api.auth import Caller
from callspool.api.live import Live
from callspool.api.problems import responses
from callspool.api.schemas import LiveEvent
from callspool.domain.ids import TenantId

KEEP_ALIVE_S: Final = 15.0

router = APIRouter(prefix="/api", tags=["events"])


@router.get(
    "/events",
    operation_id="listenToEvents",
    response_class=StreamingResponse,
    responses={200: {"model": LiveEvent, "description": "Events named `recording`"}, **responses(422)},
)
async def listen_to_events(
    request: Request,
    caller: Caller,
    after: Annotated[
        int | None, Query(ge=0, description="The last number seen: what came since is sent first.")
    ] = None,
    last_event_id: Annotated[int | None, Header(ge=0, description="The same, as browsers send it.")] = None,
) -> StreamingResponse:
    """Listen to what happens to recordings. A client that reads too slowly is cut and comes back with its number."""
    live = request.app.state.live
    seen = last_event_id if last_event_id is not None else after
    return StreamingResponse(
        _stream(live, caller.tenant_id, seen),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _stream(live: Live, tenant_id: TenantId | None, seen: int | None) -> AsyncIterator[bytes]:
    with live.listen(tenant_id) as listener:
        last = seen if seen is not None else await live.position()
        yield f": callspool {last}\nretry: 2000\n\n".encode()
        if seen is not None:
            async for event in live.since(tenant_id, seen):
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
