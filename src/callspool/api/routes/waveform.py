"""What a player draws before it has loaded any audio."""

import asyncio
import gzip
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from callspool.api.problems import Refusal, responses
from callspool.api.ready import SAFETY
from callspool.api.routes.audio import authorised
from callspool.api.routes.recordings import refusal
from callspool.api.services import Services, ServicesOf
from callspool.domain.errors import FetchFailed, NotFound
from callspool.domain.recording import Recording, State
from callspool.vault.keys import rendition_key

router = APIRouter(prefix="/api/recordings", tags=["playback"])

_BLOCK: Final = 1 << 20
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "audiowaveform's JSON, version 2, with `silences`: spans in seconds for each channel"},
    304: {"description": "Not modified"},
    **responses(403, 404, 409, 410),
}


@router.get("/{id}/waveform", operation_id="getWaveform", responses=_RESPONSES, response_class=Response)
async def get_waveform(
    request: Request, services: ServicesOf, recording: Annotated[Recording, Depends(authorised)]
) -> Response:
    """Return peaks and silences of a recording that is ready. They were made with it, or are made now."""
    kept = recording.kept
    if recording.state is not State.READY or kept is None:
        raise refusal(recording)
    etag = f'"{kept.sha256[:32]}-peaks"'
    headers = {**SAFETY, "etag": etag, "cache-control": "private, max-age=31536000, immutable"}
    headers["vary"] += ", Accept-Encoding"
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    waveform = await _waveform(request.app.state.making, services, kept.vault_key)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(waveform, media_type="application/json", headers={**headers, "content-encoding": "gzip"})
    return Response(gzip.decompress(waveform), media_type="application/json", headers=headers)


async def _waveform(making: dict[str, asyncio.Task[bytes]], services: Services, key: str) -> bytes:
    try:
        return await services.vault.read_all(rendition_key(key, "peaks"))
    except NotFound:
        pass
    if key not in making:  # once, however many ask
        making[key] = asyncio.create_task(_make(services, key))
        making[key].add_done_callback(lambda _: making.pop(key, None))
    # Shielded, because one who leaves must not end it for the others.
    return await asyncio.shield(making[key])


async def _make(services: Services, key: str) -> bytes:
    """Make it again from the audio, in the process that meets all audio, and keep it."""
    with tempfile.NamedTemporaryFile(dir=_folder(services)) as copy:
        try:
            audio = await services.vault.open(key)
        except NotFound:
            raise Refusal("vault_unavailable", "The vault lacks this recording's file. Tell the operator.") from None
        try:
            for at in range(0, audio.size, _BLOCK):
                await asyncio.to_thread(copy.write, await audio.read(at, _BLOCK))
        finally:
            await audio.close()
        copy.flush()
        try:
            waveform = (await services.prober.probe(Path(copy.name))).waveform
        except FetchFailed:
            raise Refusal("vault_unavailable", "The vault's file is not what was kept. Tell the operator.") from None
    await services.vault.put_bytes(rendition_key(key, "peaks"), waveform)
    return waveform


def _folder(services: Services) -> Path:
    folder = services.settings.data / "tmp"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
