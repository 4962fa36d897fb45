"""A recording's bytes, and the links that play them."""

import asyncio
import contextlib
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from callspool.api.auth import Caller, Declared, Principal, find_caller
from callspool.api.coming import Waited, wait_for_sound
from callspool.api.links import link, recording_id
from callspool.api.listening import Listener, Listening
from callspool.api.making import Making
from callspool.api.origins import belongs_to
from callspool.api.problems import RETRY_AFTER_S, Refusal, responses
from callspool.api.quick import Quick
from callspool.api.ready import SAFETY, conditions_of, fixed_headers, ready_response
from callspool.api.routes.recordings import refusal
from callspool.api.schemas import FetchAnswer, Playback
from callspool.api.services import Services, ServicesOf
from callspool.api.tries import NOBODY, Tries
from callspool.domain.audit import By
from callspool.domain.errors import NotFound
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.listening import ListenForm
from callspool.domain.recording import FINAL, Kept, Recording, State
from callspool.playback.serving import until_gone
from callspool.playback.tokens import Refused

router = APIRouter(prefix="/api/recordings", tags=["playback"])


class RenditionKind(StrEnum):
    """What a recording can be had as besides itself."""

    OPUS = "opus"


@router.post("/{id}/playback", operation_id="createPlayback", responses=responses(404, 409, 410))
async def create_playback(
    id: str,  # noqa: A002 - its JSON name
    services: ServicesOf,
    caller: Caller,
) -> Playback:
    """Return a short-lived link for an ``<audio>`` element; one to a recording on its way plays it as it comes."""
    recording = await services.store.get(caller.tenant_id, recording_id(id))
    if recording.state is not State.READY and recording.state in FINAL:
        raise refusal(recording)
    url, expires_at = link(services, recording, caller.actor)
    return Playback(url=url, expires_at=expires_at)


async def authorised(
    id: str,  # noqa: A002
    request: Request,
    services: ServicesOf,
    _: Declared,
    token: Annotated[str | None, Query(description="From `createPlayback`. Without one a key is needed.")] = None,
) -> Recording:
    """Return the recording that the link or the key allows to be heard."""
    wanted = recording_id(id)
    try:
        if token is None:
            recording = await _by_key(request, services, wanted)
        else:
            recording = await _by_link(request, services, wanted, token)
    except (Refusal, NotFound) as refused:
        _tell_refused(request, services, wanted, refused.code)
        raise
    belongs_to(request, recording.tenant_id)
    return recording


async def _by_key(request: Request, services: Services, wanted: RecordingId) -> Recording:
    principal = await find_caller(request, services)
    if principal is None:
        raise Refusal("unauthenticated")
    recording = await services.store.get(principal.tenant_id, wanted)
    quick: Quick = request.app.state.quick
    quick.learn(recording, request.headers.get("authorization"), principal)
    request.state.listener = Listener.of(principal, _address(request))
    return recording


async def _by_link(request: Request, services: Services, wanted: RecordingId, token: str) -> Recording:
    grant = await services.links.check(token, wanted, services.clock.now())
    if isinstance(grant, Refused):
        raise Refusal("link_expired" if grant is Refused.EXPIRED else "bad_link")
    recording = await services.store.get(grant.tenant_id, wanted)
    if not grant.is_for(recording):
        raise Refusal("bad_link")
    quick: Quick = request.app.state.quick
    quick.learn(recording, None, None)
    request.state.listener = Listener.by_link(grant, _address(request))
    return recording


def _tell_refused(request: Request, services: Services, wanted: RecordingId, why: str) -> None:
    """Let the audit log have it, with who it was as far as that is proven."""
    token = request.query_params.get("token")
    grant = services.links.now.read(token, wanted) if token is not None else None
    caller: Principal | None = getattr(request.state, "caller", None)
    tries: Tries = request.app.state.tries
    who: str = NOBODY
    tenant_id: TenantId | None = None
    if grant is not None:
        who, tenant_id = Listener.by_link(grant, None).actor, grant.tenant_id
    elif caller is not None:
        who, tenant_id = caller.actor, caller.tenant_id
    tries.refused(why, wanted, By(who, _address(request)), tenant_id)


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None


_COMING: Final = {
    **SAFETY,
    "accept-ranges": "none",
    "content-disposition": "inline",
    "x-accel-buffering": "no",
}
"""``accept-ranges`` tells a player that it grows; the last one lets nginx pass on what comes as it comes."""
_AUDIO: dict[str, Any] = {"audio/wav": {}, "audio/mpeg": {}, "audio/ogg": {}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of it; of one that is being fetched, as it comes", "content": _AUDIO},
    202: {"model": FetchAnswer, "description": "On its way, and no byte came yet: ask again after Retry-After"},
    206: {"description": "A part, or several as multipart/byteranges", "content": _AUDIO},
    304: {"description": "Not modified"},
    307: {"description": "To the object storage, where the operator wants that"},
    **responses(403, 404, 409, 410, 412, 416),
}


@router.get("/{id}/audio", operation_id="getAudio", response_class=Response, responses=_RESPONSES)
@router.head("/{id}/audio", operation_id="headAudio", response_class=Response, responses=_RESPONSES)
async def get_audio(
    request: Request,
    services: ServicesOf,
    recording: Annotated[Recording, Depends(authorised)],
    rendition: Annotated[
        RenditionKind | None, Query(description="A smaller form, made when it is asked for first. 202: it is not yet.")
    ] = None,
    download: Annotated[bool, Query(description="A browser saves it as a file, wherever the page is from.")] = False,
) -> Response:
    """Return the recording's bytes, with ranges (RFC 9110).

    One that is not there yet is hastened. Its bytes are sent as they come, whole from the first one, whatever the
    Range; if the download or its check fails, the connection is broken off. Before the first byte: 202.
    """
    listening: Listening = request.app.state.listening
    if rendition is not None and not services.settings.renditions:
        raise Refusal("no_rendition")
    if recording.state not in FINAL:
        waited = await _wait(request, services, recording, whole=rendition is not None or download)
        if waited.response is not None:
            listening.follow(waited.response, waited.recording, request.state.listener, ListenForm.GROWING)
            return waited.response
        recording = waited.recording
        if recording.state not in FINAL:
            return _later(recording)
    if recording.state is not State.READY or recording.kept is None:
        no = refusal(recording)
        _tell_refused(request, services, recording.id, no.code)
        raise no
    kept = recording.kept
    if rendition is not None:
        smaller = await _rendition(request, services, recording, kept)
        if smaller is None:
            return _later(recording)
        kept = smaller
    conditions = conditions_of(request.method, request.headers)
    fixed = fixed_headers(recording, kept, download=download)
    # The object storage would not call it a download.
    response = await ready_response(services, kept, conditions, fixed, may_redirect=not download)
    if request.method == "GET":  # a HEAD hears nothing
        listening.follow(response, recording, request.state.listener, _how(rendition, download=download), kept.size)
    return response


async def _rendition(request: Request, services: Services, recording: Recording, kept: Kept) -> Kept | None:
    """Wait for the smaller one, for as long as for a first byte; None: it is not there yet, and is being made."""
    making: Making = request.app.state.making
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(services.settings.play_wait.total_seconds()):
            return await making.opus(recording, kept)
    return None


def _how(rendition: RenditionKind | None, *, download: bool) -> ListenForm:
    if rendition is None:
        return ListenForm.DOWNLOAD if download else ListenForm.AUDIO
    return ListenForm.OPUS_DOWNLOAD if download else ListenForm.OPUS


async def _wait(request: Request, services: Services, recording: Recording, *, whole: bool) -> Waited:
    """Wait for the first byte or the end, for as long as the client does."""
    if request.method == "HEAD":
        return Waited(recording)  # it wants no sound
    # Without chunks a break could not be told from the end.
    stream = (
        not whole and request.scope["http_version"] != "1.0" and request.headers.get("if-match", "*").strip() == "*"
    )
    live = request.app.state.live
    waiting = asyncio.ensure_future(wait_for_sound(services, live, recording, _COMING, stream=stream))
    gone = asyncio.ensure_future(until_gone(request.receive))
    try:
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else Waited(recording)
    finally:
        waiting.cancel()
        gone.cancel()
        await asyncio.gather(waiting, gone, return_exceptions=True)


def _later(recording: Recording) -> Response:
    body = FetchAnswer(
        id=recording.id,
        state=recording.state,
        version=recording.version,
        place=None,
        audio_url=None,  # who asks has one; a new one for each answer would outlive the one that a key gave
        growing=False,
        expires_at=None,
    )
    headers = {"retry-after": str(RETRY_AFTER_S), "cache-control": "no-store"}
    return JSONResponse(body.model_dump(mode="json"), status_code=202, headers=headers)
