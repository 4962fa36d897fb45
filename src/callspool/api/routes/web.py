"""The web page and the player that other pages embed: files that the build put into the package."""

import hashlib
from importlib import metadata
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

_PLAYER: Final = {
    # Its address never changes, so it is asked for anew each time, and its version and content are in its ETag.
    "cache-control": "no-cache",
    "access-control-allow-origin": "*",  # a module of another origin is loaded only so
    "cross-origin-resource-policy": "cross-origin",
    "vary": "Accept-Encoding",
}


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


@router.get("/player.js")
@router.head("/player.js")
def player(request: Request) -> Response:
    """Return the player, which any page may load: it has no secret and asks for one."""
    file: Path = request.app.state.web / "player.js"
    packed = file.with_suffix(".js.gz")
    if not file.is_file() or not packed.is_file():
        raise NotFound("player.js")
    gzip = "gzip" in request.headers.get("accept-encoding", "")
    body = (packed if gzip else file).read_bytes()
    version = metadata.version("callspool")
    etag = f'"{version}-{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {**_PLAYER, "etag": etag, **({"content-encoding": "gzip"} if gzip else {})}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="text/javascript; charset=utf-8", headers=headers)
