"""The answer to a request for the audio of a recording that is ready: conditions, ranges, its bytes."""

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response

from callspool.api.problems import Refusal, problem
from callspool.api.services import Services
from callspool.domain.errors import NotFound
from callspool.domain.recording import Kept, Recording
from callspool.playback.ranges import Conditions, Differs, NotModified, Parts, Unsatisfiable, Whole, decide
from callspool.playback.serving import AudioResponse, RawHeaders

SAFETY: Final = {
    "content-security-policy": "sandbox; default-src 'none'",
    "cross-origin-resource-policy": "cross-origin",
    # A browser that cached what an audio element got must not give it to a script of another origin.
    "vary": "Authorization, Origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
"""Whatever its bytes are, a browser makes nothing but sound of them."""

_EXTENSIONS: Final = {"audio/wav": "wav", "audio/mpeg": "mp3", "audio/ogg": "opus"}


def conditions_of(method: str, fields: Headers) -> Conditions:
    """Return what a request's fields ask for. Those that were sent twice are one list (RFC 9110, 5.3)."""
    return Conditions(
        method=method,
        range=", ".join(fields.getlist("range")) or None,
        if_range=fields.get("if-range"),
        if_match=", ".join(fields.getlist("if-match")) or None,
        if_none_match=", ".join(fields.getlist("if-none-match")) or None,
    )


def fixed_headers(recording: Recording, kept: Kept, *, download: bool = False) -> RawHeaders:
    """Return the fields that every answer for this recording has. Where *download*, a browser saves it as a file."""
    disposition = "attachment" if download else "inline"
    extension = _EXTENSIONS[kept.content_type]
    fields = {
        "accept-ranges": "bytes",
        "etag": _etag(kept),
        "cache-control": "private, max-age=3600",
        "content-disposition": f'{disposition}; filename="{recording.id}.{extension}"',
        **SAFETY,
    }
    return tuple((name.encode(), value.encode()) for name, value in fields.items())


async def ready_response(
    services: Services, kept: Kept, conditions: Conditions, fixed: RawHeaders, *, may_redirect: bool = True
) -> Response:
    """Return what RFC 9110 wants for GET or HEAD. Raises `Refusal` where the vault lacks the file."""
    answer = decide(conditions, size=kept.size, etag=_etag(kept))
    match answer:
        case NotModified():
            response = Response(status_code=304)
            response.raw_headers = list(fixed)
            return response
        case Differs():
            return problem("etag_differs")
        case Unsatisfiable():
            return problem("range_unsatisfiable", headers={"content-range": f"bytes */{kept.size}"})
    if services.settings.vault_redirect and may_redirect and conditions.method == "GET":
        address = await services.vault.presign(kept.vault_key, services.settings.playback_ttl)
        if address is not None:
            return Response(status_code=307, headers={**SAFETY, "location": address, "cache-control": "no-store"})
    try:
        reads = _first(answer, kept.size) if conditions.method == "GET" else None
        file = await services.vault.open(kept.vault_key, reads=reads)
    except NotFound:
        # The row says that it is there: not the client's mistake, and not "never".
        raise Refusal("vault_unavailable", "The vault lacks this recording's file. Tell the operator.") from None
    if file.size != kept.size:
        await file.close()
        raise Refusal("vault_unavailable", "The vault's file is not the one that was kept. Tell the operator.")
    return AudioResponse(
        file, answer, content_type=kept.content_type, headers=fixed, send_body=conditions.method == "GET"
    )


def _first(answer: Whole | Parts, size: int) -> tuple[int, int] | None:
    """Return what of the file is sent first."""
    if isinstance(answer, Parts):
        return answer.spans[0].start, answer.spans[0].end
    return (0, size) if size else None


def _etag(kept: Kept) -> str:
    return f'"{kept.sha256}"'
