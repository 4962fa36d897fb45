"""Why a recording waits: by a code, and in one sentence."""

import asyncio
from typing import Final

import structlog
from fastapi import APIRouter

from callspool.api.auth import Caller
from callspool.api.links import recording_id
from callspool.api.problems import responses
from callspool.api.schemas import ObstacleView, Waiting
from callspool.api.services import Services, ServicesOf
from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.job import Place, Why
from callspool.domain.recording import Recording, State
from callspool.domain.waiting import explain, obstacle
from callspool.playback.relay import NotThere, Progress, Seal, progress_of

router = APIRouter(prefix="/api/recordings", tags=["recordings"])
_log = structlog.get_logger()
_PATIENCE_S: Final = 2.0


@router.get("/{id}/why", operation_id="whyRecordingWaits", responses=responses(404))
async def why_recording_waits(id: str, services: ServicesOf, caller: Caller) -> Waiting:  # noqa: A002 - its JSON name
    """Say what the recording waits for, and how many of the tenant's own are before it."""
    recording = await services.store.get(caller.tenant_id, recording_id(id))
    why: Why | None = None
    if recording.state in {State.QUEUED, State.FETCHING}:
        try:
            why = await services.producer.why(recording.id)
        except SchedulerUnavailable as error:
            _log.warning("scheduler.unavailable", error=str(error))
    progress = await _progress(services, recording)
    for_operator = caller.tenant_id is None
    found = obstacle(recording, why, for_operator=for_operator)
    return Waiting(
        id=recording.id,
        state=recording.state,
        place=why.place if why else None,
        ahead=why.ahead if why and why.place is Place.WAITING else None,
        received=progress.received if progress else None,
        expected=progress.expected if progress else None,
        obstacle=ObstacleView.of(found) if found else None,
        sentence=explain(recording, why, for_operator=for_operator),
    )


async def _progress(services: Services, recording: Recording) -> Progress | None:
    """Ask the worker that fetches it; None: nobody does, or it is not known."""
    if recording.state is not State.FETCHING:
        return None
    try:
        address = await services.producer.locate(recording.id)
        if address is None:
            return None
        seal, now = Seal(services.secret_key), services.clock.now()
        async with asyncio.timeout(_PATIENCE_S):
            return await progress_of(address, recording.id, recording.attempt, seal, now)
    except (SchedulerUnavailable, NotThere, TimeoutError):
        return None
