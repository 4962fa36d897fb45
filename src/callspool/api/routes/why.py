"""Why a recording waits, in one sentence."""

import structlog
from fastapi import APIRouter

from callspool.api.auth import Caller
from callspool.api.links import recording_id
from callspool.api.problems import responses
from callspool.api.schemas import Waiting
from callspool.api.services import ServicesOf
from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.job import Place, Why
from callspool.domain.recording import State
from callspool.domain.waiting import explain

router = APIRouter(prefix="/api/recordings", tags=["recordings"])
_log = structlog.get_logger()


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
    return Waiting(
        id=recording.id,
        state=recording.state,
        place=why.place if why else None,
        ahead=why.ahead if why and why.place is Place.WAITING else None,
        sentence=explain(recording, why, for_operator=caller.tenant_id is None),
    )
