"""A stand-in for callspool's API: the real page, headers and shapes, and data that a test changes as it likes.

It notes every request. For what the real parts do together see tests/acceptance.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse

from callspool.api import problems
from callspool.api.app import SafeHeaders
from callspool.api.problems import problem
from callspool.api.routes import web
from callspool.api.schemas import ObstacleView, RecordingView, TenantView, sentence
from callspool.domain.obstacle import Obstacle, ObstacleCode
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from tests.browser import dashboard

KEY = "cs_the-key-of-this-test"
EMBEDDER_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; media-src 'self' http://localhost:*; "
    "base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types lit-html"
)
"""What a careful page allows: nothing inline, nothing from elsewhere, no text that becomes code."""
BEGAN = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def _is_set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class StandIn:
    """What the server has and how it answers."""

    sound: Path
    """The file that every recording plays."""
    url: str = ""
    recordings: dict[str, RecordingView] = field(default_factory=dict)
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    beside: dict[str, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    """What a recording's page tells besides: webhooks that changed nothing, who listened, holds."""
    tenants: list[TenantView] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Every request, e.g. ``POST /api/recordings/…/retry``."""
    gives_events: bool = True
    has_web_page_for_audio: bool = False
    links_given: int = 0
    given_up: str | None = None
    """Why recordings that are not ready failed, as their links tell."""
    void_links: int = 0
    """Links up to this number are refused as expired."""
    waveform: bytes = (
        b'{"version":2,"channels":1,"sample_rate":8000,"samples_per_pixel":8000,"bits":8,"length":8,'
        b'"data":[-9,9,-90,90,-60,60,-9,9,-90,90,-60,60,-9,9,-90,90],"silences":[[]]}'
    )
    """What every recording's waveform is."""
    ahead: int = 2
    """How many are before each recording that waits."""
    received: int | None = None
    """How many bytes of what is being fetched are here."""
    pages: dict[str, str] = field(default_factory=dict)
    """Pages of somebody who embeds the player, by name."""
    files: dict[str, Path] = field(default_factory=dict)
    """Folders of what somebody built who embeds the player, by name."""
    storage: str | None = None
    """Another origin, to which players are sent for the sound of what is ready."""
    whole: asyncio.Event = field(default_factory=asyncio.Event)
    """Until then the second half of what is being fetched has not come."""
    answers_late: asyncio.Event = field(default_factory=_is_set)
    """Until then nobody is told that the sound of what waits is not there yet."""
    asked_early: int = 0
    """How often such sound was asked for."""
    key: str = KEY
    """The one that is valid."""
    refuses_late: asyncio.Event = field(default_factory=_is_set)
    """Until then nobody is told that a key is not valid."""
    breaks_off: bool = False
    """What is being fetched ends in the middle, when the second half should come."""
    operations: dashboard.Operations = field(default_factory=dashboard.Operations)
    _events: list[str] = field(default_factory=list)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    def add(self, number: int, state: State, **changes: Any) -> RecordingView:
        """Add a recording; a higher number is a newer one."""
        at = BEGAN + timedelta(minutes=7 * number)
        given: dict[str, Any] = {
            "id": f"rec_{number:032x}",
            "tenant_id": "acme",
            "account_id": "main",
            "provider_recording_id": f"RE{number:032x}",
            "call_id": f"CA{number:032x}",
            "state": state,
            "version": 1,
            "attempt": 1,
            "tries": 0,
            "unverified": [],
            "created_at": at,
            "updated_at": at,
        }
        empty = dict.fromkeys(set(RecordingView.model_fields) - set(given))
        recording = RecordingView(**{**empty, **given, **_told(changes)})
        self.recordings[recording.id] = recording
        return recording

    async def change(self, recording: RecordingView, state: State, **changes: Any) -> RecordingView:
        """Move a recording on and tell everybody who listens."""
        old = self.recordings[recording.id]
        new = old.model_copy(
            update={"state": state, "version": old.version + 1, "reason": None, "sentence": None, **_told(changes)}
        )
        self.recordings[new.id] = new
        await self.tell(new)
        return new

    async def tell(self, recording: RecordingView) -> None:
        """Send an event with this state of a recording, be it old or new."""
        async with self._more:
            number = len(self._events) + 1
            view = recording.model_dump_json()
            data = (
                f'{{"seq":{number},"event":"claim","state":"{recording.state}","version":{recording.version},'
                f'"reason":null,"sentence":null,"at":"2026-11-23T10:00:00Z","recording":{view}}}'
            )
            self._events.append(f"id: {number}\nevent: recording\ndata: {data}\n\n")
            self._more.notify_all()

    def count(self, *parts: str) -> int:
        """Return how many requests have all these parts."""
        return sum(all(part in line for part in parts) for line in self.asked)

    async def stream(self, seen: int | None) -> AsyncIterator[str]:
        """Yield events after the number *seen*, and new ones as they come."""
        position = len(self._events) if seen is None else min(seen, len(self._events))
        yield f": callspool {position}\n\n"
        while True:
            async with self._more:
                while len(self._events) <= position:
                    await self._more.wait()
            position += 1
            yield self._events[position - 1]

    async def coming(self) -> AsyncIterator[bytes]:
        """Yield the sound as a download that runs would: a half now, the other when it is there."""
        sound = self.sound.read_bytes()
        yield sound[: len(sound) // 2]
        await self.whole.wait()
        if self.breaks_off:
            raise ConnectionResetError("the download failed")
        yield sound[len(sound) // 2 :]


def _told(changes: dict[str, Any]) -> dict[str, Any]:
    reason: Reason | None = changes.get("reason")
    return {**changes, "sentence": sentence(reason)} if reason else changes


def _fits(recording: RecordingView, wanted: dict[str, str | None]) -> bool:
    given = {
        "tenant": recording.tenant_id,
        "account": recording.account_id,
        "reason": recording.reason,
        "q": wanted["q"] if wanted["q"] in (recording.id, recording.call_id, recording.provider_recording_id) else "",
    }
    return all(value is None or given[name] == value for name, value in wanted.items())


def tenant(name: str, **changes: Any) -> TenantView:
    """Return a tenant with three slots that rests."""
    given: dict[str, Any] = {
        "id": name.lower().split()[0],
        "name": name,
        "slots": 3,
        "weight": 1,
        "paused": False,
        "running": 0,
        "waiting": 0,
        "deferred": 0,
        "oldest_wait_s": None,
        "states": {},
        "reasons": {},
    }
    return TenantView(**{**given, **changes})


def create_app(there: StandIn, page_folder: Path) -> FastAPI:
    """Return the server's application."""
    app = FastAPI(openapi_url=None)
    app.state.web = page_folder
    problems.install(app)
    app.add_middleware(SafeHeaders)

    @app.middleware("http")
    async def note(request: Request, proceed: Any) -> Response:
        there.asked.append(f"{request.method} {request.url.path}?{request.url.query}")
        path = request.url.path
        has_link = "token" in request.query_params or path.endswith("/audio")
        needs_key = path.startswith("/api/") and not has_link and path not in ("/api/session", "/api/session/ways")
        if path == "/api/session" and request.method == "GET":
            needs_key = True
        has_key = request.headers.get("authorization") == f"Bearer {there.key}"
        if needs_key and not (has_key or there.operations.signed_in):
            await there.refuses_late.wait()
            return problem("unauthenticated")
        answer: Response = await proceed(request)
        return answer

    @app.get("/api/session/ways")
    async def get_ways() -> Any:
        return {"identity_provider": None}

    @app.get("/api/recordings")
    async def listed(request: Request, limit: int, cursor: str = "~") -> JSONResponse:
        states = request.query_params.getlist("state")
        wanted = {name: request.query_params.get(name) for name in ("tenant", "account", "reason", "q")}
        newest = sorted(there.recordings.values(), key=lambda recording: recording.id, reverse=True)
        newest = [one for one in newest if _fits(one, wanted)]
        fit = [one for one in newest if one.id < cursor and (not states or one.state in states)]
        return JSONResponse(
            {
                "recordings": [one.model_dump(mode="json") for one in fit[:limit]],
                "next_cursor": fit[limit - 1].id if len(fit) > limit else None,
            }
        )

    @app.get("/api/recordings/{id}")
    async def one(id: str) -> JSONResponse:  # noqa: A002
        if id not in there.recordings:
            return problem("not_found")
        return JSONResponse(
            {
                **there.recordings[id].model_dump(mode="json"),
                **dict.fromkeys(("detail", "provider_deleted_at", "purged")),
                "history": [{"http_status": None, **step} for step in there.history.get(id, [])],
                **{name: there.beside.get(id, {}).get(name, []) for name in ("repeats", "listens", "holds")},
            }
        )

    @app.get("/api/recordings/{id}/why")
    async def why(id: str) -> JSONResponse:  # noqa: A002
        state = there.recordings[id].state
        ahead = there.ahead if state is State.QUEUED else None
        received = there.received if state is State.FETCHING else None
        size = there.sound.stat().st_size if received is not None else None
        answer = {"id": id, "state": state, "place": "waiting", "ahead": ahead, "received": received, "expected": size}
        busy = Obstacle(ObstacleCode.SLOTS_BUSY, tenant=there.recordings[id].tenant_id, held=3, limit=3)
        obstacle = ObstacleView.of(busy).model_dump(mode="json") if state is State.QUEUED else None
        return JSONResponse({**answer, "obstacle": obstacle, "sentence": f"{busy.sentence}; it is 3rd in its line."})

    @app.post("/api/recordings/{id}/playback")
    async def playback(id: str) -> JSONResponse:  # noqa: A002
        there.links_given += 1
        return JSONResponse(
            {"url": f"/api/recordings/{id}/audio?token={there.links_given}", "expires_at": "2026-11-23T10:00:00Z"}
        )

    @app.get("/api/recordings/{id}/audio")
    async def audio(id: str, token: int) -> Response:  # noqa: A002
        if there.has_web_page_for_audio:
            return HTMLResponse("<!doctype html><title>Sign in to the network</title>")
        if token <= there.void_links:
            return problem("link_expired")
        if there.recordings[id].state is State.FETCHING:
            return StreamingResponse(there.coming(), media_type="audio/wav", headers={"accept-ranges": "none"})
        if there.recordings[id].state is not State.READY:
            there.asked_early += 1
            await there.answers_late.wait()
            return JSONResponse({"state": there.recordings[id].state}, status_code=202, headers={"retry-after": "2"})
        if there.storage is not None:
            return RedirectResponse(f"{there.storage}/storage", 307, {"access-control-allow-origin": "*"})
        return FileResponse(there.sound, media_type="audio/wav")

    @app.get("/storage")
    async def storage() -> FileResponse:
        headers = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
        return FileResponse(there.sound, media_type="audio/wav", headers=headers)

    @app.get("/api/recordings/{id}/waveform")
    async def waveform(id: str, token: int | None = None) -> Response:  # noqa: A002
        if token is not None and token <= there.void_links:
            return problem("link_expired")
        if there.given_up is not None:
            return problem("needs_retry", reason=Reason(there.given_up))
        if there.recordings[id].state is not State.READY:
            return problem("not_ready")
        return Response(there.waveform, media_type="application/json")

    @app.get("/embed/{name}")
    async def embed(name: str) -> HTMLResponse:
        return HTMLResponse(there.pages[name], headers={"content-security-policy": EMBEDDER_POLICY})

    @app.get("/files/{name}/{path:path}")
    async def built(name: str, path: str) -> FileResponse:
        policy = EMBEDDER_POLICY + " vue"  # Vue has a policy of its own
        return FileResponse(there.files[name] / path, headers={"content-security-policy": policy})

    @app.post("/my/playback-link")
    async def link_of_their_own() -> dict[str, str]:
        """What the server of a page that embeds players does: it asks us for a link."""
        there.links_given += 1
        (id_,) = there.recordings
        return {"url": f"{there.url}/api/recordings/{id_}/audio?token={there.void_links + there.links_given}"}

    @app.post("/api/recordings/{id}/{action}")
    async def act(id: str, action: str) -> JSONResponse:  # noqa: A002
        recording = there.recordings[id]
        if action == "retry":
            recording = await there.change(recording, State.QUEUED)
        if action == "cancel":
            recording = await there.change(recording, State.CANCELLED)
            return JSONResponse(recording.model_dump(mode="json"))
        answer = {"id": id, "state": recording.state, "version": recording.version, "place": None, "expires_at": None}
        there.links_given += 1
        answer["audio_url"] = f"/api/recordings/{id}/audio?token={there.links_given}"
        return JSONResponse({**answer, "growing": recording.state is not State.READY}, status_code=202)

    @app.get("/api/tenants")
    async def tenants() -> JSONResponse:
        return JSONResponse({"tenants": [one.model_dump(mode="json") for one in there.tenants]})

    @app.get("/api/events")
    async def events(request: Request) -> Response:
        if not there.gives_events:
            return problem("unavailable")
        last = request.headers.get("last-event-id")
        return StreamingResponse(there.stream(int(last) if last else None), media_type="text/event-stream")

    app.include_router(dashboard.router(there.operations))
    app.include_router(web.router)
    return app
