"""``/problems/…``: where the ``type`` of an error leads. A page that explains the code, from the one table."""

from html import escape
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from callspool.api.problems import KINDS, path_of
from callspool.domain.errors import NotFound

router = APIRouter(include_in_schema=False)

_CODES: Final = {path_of(code): code for code in KINDS}


@router.get("/problems/{name}", response_class=HTMLResponse)
async def explain(name: str) -> HTMLResponse:
    """Say what the error means and what to do."""
    code = _CODES.get(f"/problems/{name}")
    if code is None:
        raise NotFound(name)
    kind = KINDS[code]
    again = "" if kind.retry_after_s is None else f"<p>Ask again after {kind.retry_after_s} s, or as Retry-After says."
    return HTMLResponse(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(kind.title)}</title>"
        f"<h1>{escape(kind.title)}</h1><p><code>{code}</code>, HTTP status {kind.status}<p>{escape(kind.detail)}{again}"
    )
