"""Recordings: list, one, and what a person may ask for: fetch, cancel, retry."""

from collections.abc import Sequence
from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime

from callspool.api.auth import Caller
from callspool.api.links import link, recording_id
from callspool.api.problems import Refusal, responses
from callspool.api.schemas import FetchAnswer, RecordingDetail, RecordingPage, RecordingView
from callspool.api.services import Services, ServicesOf
from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.ids import AccountId
from callspool.domain.job import Job, Lane, Place
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.reasons import POLICIES, Reason
from callspool.domain.recording import Recording, State

router = APIRouter(prefix="/api/recordings", tags=["recordings"])

_log = structlog.get_logger("callspool.api")


@router.get("", operation_id="listRecordings", responses=responses(404, 422))
async def list_recordings(
    services: ServicesOf,
    caller: Caller,
    tenant: Annotated[str | None, Query(description="For the operator's key.")] = None,
    account: str | None = None,
    state: Annotated[Sequence[State] | None, Query(description="May be given several times.")] = None,
    reason: Reason | None = None,
    call_id: str | None = None,
    provider_recording_id: str | None = None,
    created_from: AwareDatetime | None = None,
    created_before: AwareDatetime | None = None,
    q: Annotated[
        str | None,
        Query(max_length=200, description="A whole id: of the call, the recording at the provider, or ours."),
    ] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> RecordingPage:
    """List recordings, newest first. Only `next_cursor` says whether there is more: a page may come short, or empty."""
    page = await services.store.list(
        RecordingFilter(
            tenant_id=caller.scope(tenant),
            account_id=AccountId(account) if account is not None else None,
            states=frozenset(state) if state else None,
            reason=reason,
            call_id=call_id,
            provider_recording_id=provider_recording_id,
            created_from=created_from,
            created_before=created_before,
            search=q.strip() if q is not None else None,
        ),
        cursor=cursor,
        limit=limit,
    )
    return RecordingPage(
        recordings=[RecordingView.of(recording) for recording in page.recordings], next_cursor=page.next_cursor
    )


@router.get("/{id}", operation_id="getRecording", responses=responses(404))
async def get_recording(id: str, services: ServicesOf, caller: Caller) -> RecordingDetail:  # noqa: A002 - its JSON name
    """Return a recording with all that happened to it."""
    recording = await services.store.get(caller.tenant_id, recording_id(id))
    timeline = await services.store.timeline(caller.tenant_id, recording.id)
    holds = await services.store.holds(caller.tenant_id, recording.id)
    return RecordingDetail.with_history(recording, timeline, holds)


@router.post(
    "/{id}/fetch",
    operation_id="fetchRecording",
    responses={202: {"model": FetchAnswer, "description": "On its way"}, **responses(404, 409, 410)},
)
async def fetch_recording(
    id: str,  # noqa: A002
    response: Response,
    services: ServicesOf,
    caller: Caller,
) -> FetchAnswer:
    """Ask to hear a recording. Joins what runs (S1); goes before the archive; never starts a job that was given up."""
    recording = await services.store.hasten(caller.tenant_id, recording_id(id))
    place: Place | None = None
    match recording.state:
        case State.READY:
            return _answer(services, recording, None, caller.actor)
        case State.QUEUED:
            place = await promote(services, recording)
        case State.FETCHING:
            place = Place.RUNNING
        case State.ANNOUNCED:
            place = None  # its job is submitted when the provider says that it is complete
        case State.FAILED | State.CANCELLED | State.ABSENT | State.PURGED:
            raise refusal(recording)
    response.status_code = 202
    return _answer(services, recording, place, caller.actor)


@router.post("/{id}/cancel", operation_id="cancelRecording", responses=responses(404, 409))
async def cancel_recording(id: str, services: ServicesOf, caller: Caller) -> RecordingView:  # noqa: A002
    """Stop fetching a recording."""
    recording = await services.store.cancel(caller.tenant_id, recording_id(id), actor=caller.actor)
    try:
        await services.producer.cancel(recording.id)
    except SchedulerUnavailable:
        # A worker that still runs it can change nothing any more; the reconciler removes the job.
        _log.warning("job.not_cancelled", tenant_id=recording.tenant_id, recording_id=recording.id)
    await services.bulletin.ring()
    return RecordingView.of(recording)


@router.post("/{id}/retry", operation_id="retryRecording", status_code=202, responses=responses(404, 409))
async def retry_recording(id: str, services: ServicesOf, caller: Caller) -> FetchAnswer:  # noqa: A002
    """Start again what failed or was cancelled, with fresh budgets. Not held up by any dedup window (S1)."""
    recording = await services.store.retry(caller.tenant_id, recording_id(id), actor=caller.actor)
    recording = await services.store.hasten(caller.tenant_id, recording.id)
    place = await promote(services, recording)
    await services.bulletin.ring()
    return _answer(services, recording, place, caller.actor)


def refusal(recording: Recording) -> Refusal:
    """Say why *recording* has no audio and whether it ever will: "not yet" and "never" are different (F25)."""
    match recording.state:
        case State.ABSENT:
            return Refusal("absent")
        case State.PURGED:
            when = recording.updated_at.strftime("%Y-%m-%d %H:%M:%S UTC")
            return Refusal("purged", f"The recording was deleted here on {when}. Only its record is left.")
        case State.CANCELLED:
            return Refusal("needs_retry", "A person stopped this recording. POST …/retry starts it again.")
        case State.FAILED:
            why = POLICIES[recording.reason].sentence if recording.reason else "It failed."
            return Refusal("needs_retry", f"{why} POST …/retry starts it again.", reason=recording.reason)
        case _:
            return Refusal("not_ready")


async def promote(services: Services, recording: Recording) -> Place | None:
    """Bring its job before the archive's. With the scheduler away the reconciler will: the store has it as wanted."""
    job = Job(recording.id, recording.account_id, recording.tenant_id, Lane.INTERACTIVE)
    try:
        return (await services.producer.promote(job)).place
    except SchedulerUnavailable:
        _log.warning("job.not_promoted", tenant_id=recording.tenant_id, recording_id=recording.id)
        return None


def _answer(services: Services, recording: Recording, place: Place | None, actor: str) -> FetchAnswer:
    # Nothing of an announced one can come before the provider says that it is complete: a link would only be waited on.
    url, expires_at = (None, None) if recording.state is State.ANNOUNCED else link(services, recording, actor)
    return FetchAnswer(
        id=recording.id,
        state=recording.state,
        version=recording.version,
        place=place,
        audio_url=url,
        growing=url is not None and recording.state is not State.READY,
        expires_at=expires_at,
    )
