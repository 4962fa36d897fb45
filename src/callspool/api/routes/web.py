"""The web page: files that the build put into the package."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from callspool.domain.errors import NotFound

router = APIRouter(include_in_schema=False)

_NOT_BUILT = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>callspool</title>"
    "<h1>callspool is running</h1><p>Its page is not built: run <code>make demo</code> in the project's folder. "
    "The API is at <a href=/api/openapi.json>/api/openapi.json</a>.</p></html>"
)


PAGES: Final = ("/", "/now", "/failures", "/backfill", "/keys", "/audit", "/recordings/{id}")
"""Addresses that the page itself tells apart: web/src/pages/router.ts."""


def index(request: Request) -> Response:
    """Return the page, or say how to build it."""
    page: Path = request.app.state.web / "index.html"
    if not page.is_file():
        return HTMLResponse(_NOT_BUILT, headers={"cache-control": "no-store"})
    return FileResponse(page, headers={"cache-control": "no-cache"})


for path in PAGES:
    router.get(path)(index)


@router.get("/assets/{name:path}")
def asset(name: str, request: Request) -> Response:
    """Return a built file. Its name has a hash of its content, so it never changes."""
    folder = (request.app.state.web / "assets").resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise NotFound(name)
    return FileResponse(path, headers={"cache-control": "public, max-age=31536000, immutable"})
