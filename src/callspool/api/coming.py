"""What a play request does for a recording that is not there yet: hasten it, and wait a little for its first bytes.

It takes no slot and starts no download: the scheduler does, once, for however many listen.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from callspool.api.live import Listener, Live
from callspool.api.routes.recordings import promote
from callspool.api.services import Services
from callspool.domain.errors import NotFound, SchedulerUnavailable
from callspool.domain.recording import FINAL, Recording, State
from callspool.playback.growing import GrowingResponse
from callspool.playback.relay import NotThere, Seal, open_flow

MOST_WAITING: Final = 1000
"""With more than so many clients that listen and wait, new ones are told at once to ask again."""

_LOOK_AGAIN_S: Final = 0.5
"""An event may be late or lost, and a worker may be met a moment before it has anything."""


@dataclass(frozen=True, slots=True)
class Waited:
    """Where the recording stands at the end of the wait; ``response`` if its sound comes."""

    recording: Recording
    response: GrowingResponse | None = None


async def wait_for_sound(
    services: Services, live: Live, recording: Recording, headers: Mapping[str, str], *, stream: bool
) -> Waited:
    """Promote *recording* and wait, for ``play_wait`` at most, until it can be heard or never will be.

    Where not *stream*, only the whole recording counts.
    """
    with live.listen(recording.tenant_id) as events:
        recording = await services.store.hasten(recording.tenant_id, recording.id)
        if recording.state is State.QUEUED:
            await promote(services, recording)
        waiting = _Waiting(services, recording, headers)
        wait_s = services.settings.play_wait.total_seconds() if live.count <= MOST_WAITING else 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while waiting.recording.state not in FINAL:
                    if stream and (response := await waiting.tap()) is not None:
                        return Waited(waiting.recording, response)
                    if not await _next_event(events, waiting.recording):
                        break
                    await waiting.look()
        return Waited(waiting.recording)


class _Waiting:
    def __init__(self, services: Services, recording: Recording, headers: Mapping[str, str]) -> None:
        self._services = services
        self._headers = headers
        self.recording = recording

    async def look(self) -> None:
        """Read where it stands now."""
        self.recording = await self._services.store.get(self.recording.tenant_id, self.recording.id)

    async def tap(self) -> GrowingResponse | None:
        """Return a response that streams the download, once it has brought something; None: there is none."""
        recording, services = self.recording, self._services
        if recording.state is not State.FETCHING:
            return None
        try:
            address = await services.producer.locate(recording.id)
        except SchedulerUnavailable:
            return None
        if address is None:
            return None

        async def state() -> State | None:
            try:
                now = await services.store.get(recording.tenant_id, recording.id)
            except NotFound:
                return None
            return now.state if now.attempt == recording.attempt else None

        async with AsyncExitStack() as stack:
            seal, now = Seal(services.secret_key), services.clock.now()
            try:
                flow = await stack.enter_async_context(open_flow(address, recording.id, recording.attempt, seal, now))
            except NotThere:
                return None
            return GrowingResponse(flow, recording, headers=self._headers, state=state, close=stack.pop_all().aclose)


async def _next_event(events: Listener, recording: Recording) -> bool:
    """Wait until something may have happened to *recording*; False: this process stops."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LOOK_AGAIN_S):
            while (event := await events.next()) is not None:
                if event.recording.id == recording.id:
                    return True
            return False
    return True
