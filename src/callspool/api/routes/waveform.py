"""What a player draws before it has loaded any audio."""

import gzip
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from callspool.api.making import Making
from callspool.api.problems import responses
from callspool.api.ready import SAFETY
from callspool.api.routes.audio import authorised
from callspool.api.routes.recordings import refusal
from callspool.domain.recording import Recording, State

router = APIRouter(prefix="/api/recordings", tags=["playback"])

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "audiowaveform's JSON, version 2, with `silences`: spans in seconds for each channel"},
    304: {"description": "Not modified"},
    **responses(403, 404, 409, 410),
}


@router.get("/{id}/waveform", operation_id="getWaveform", responses=_RESPONSES, response_class=Response)
async def get_waveform(request: Request, recording: Annotated[Recording, Depends(authorised)]) -> Response:
    """Return peaks and silences of a recording that is ready. They were made with it, or are made now."""
    kept = recording.kept
    if recording.state is not State.READY or kept is None:
        raise refusal(recording)
    making: Making = request.app.state.making
    etag = f'"{kept.sha256[:32]}-peaks"'
    headers = {**SAFETY, "etag": etag, "cache-control": "private, max-age=31536000, immutable"}
    headers["vary"] += ", Accept-Encoding"
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    waveform = await making.waveform(recording, kept)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(waveform, media_type="application/json", headers={**headers, "content-encoding": "gzip"})
    return Response(gzip.decompress(waveform), media_type="application/json", headers=headers)
