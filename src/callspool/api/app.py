"""Builds the HTTP application from its services. Routes translate; they decide nothing that a part below can."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import callspool
from callspool.api import problems
from callspool.api.bodies import BoundedBodies
from callspool.api.listening import Listening
from callspool.api.live import Live
from callspool.api.making import Making
from callspool.api.origins import ANY, Cors, Origins
from callspool.api.passwords import Passwords
from callspool.api.proxies import ClientAddress
from callspool.api.quick import Quick, QuickWay
from callspool.api.rates import PLAY, Rates
from callspool.api.routes import (
    accounts,
    audio,
    audit,
    backfills,
    bulk,
    events,
    export,
    failures,
    holds,
    keys,
    oidc,
    operations,
    overview,
    problem_pages,
    purge,
    recordings,
    session,
    tenants,
    throughput,
    waveform,
    web,
    webhook_endpoints,
    webhooks,
    why,
)
from callspool.api.services import Services
from callspool.api.trail import Trail
from callspool.api.tries import Tries
from callspool.tasks import cancel
from callspool.telemetry import Metrics

_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'{vault}; media-src 'self'{vault}; "
    "img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_POLICY: Final = _PAGE_POLICY.format(vault="")

_ROUTERS = (
    webhooks,
    recordings,
    purge,
    holds,
    why,
    audio,
    waveform,
    events,
    tenants,
    accounts,
    keys,
    overview,
    failures,
    export,
    bulk,
    audit,
    backfills,
    throughput,
    session,
    oidc,
    webhook_endpoints,
    operations,
    problem_pages,
    web,
)


def create_app(services: Services, *, metrics: Metrics | None = None, web_folder: Path | None = None) -> FastAPI:
    """Return the application. Give *metrics* where a worker in the same process has some already."""
    live = Live(services.store, services.bulletin)
    trail = Trail(services.store, services.clock)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(run()) for run in (live.run, services.links.run, trail.run)]
        try:
            yield
        finally:
            live.close()
            await cancel(*tasks)
            await trail.close()

    for_all = [origin.strip() for origin in services.settings.allowed_origins.split(",")]
    app = shell(lifespan, for_all)
    if services.settings.proxies:
        app.add_middleware(ClientAddress, trusted=services.settings.proxies)
    app.state.services = services
    app.state.origins = Origins(services.store, for_all)
    app.state.live = live
    app.state.passwords = Passwords()
    app.state.making = Making(services)
    app.state.listening = Listening(trail, services.clock)
    app.state.tries = Tries(trail, services.clock)
    app.state.api_rates = Rates(services.settings.api_rate, services.clock)
    app.state.webhook_rates = Rates(services.settings.webhook_rate, services.clock)
    app.state.quick = Quick(services, app.state.listening)
    if services.settings.vault_redirect and services.vault.origin:
        app.state.page_policy = _PAGE_POLICY.format(vault=f" {services.vault.origin}")
    app.state.metrics = metrics or Metrics()
    app.state.web = web_folder or Path(callspool.__file__).parent / "web_dist"
    return app


def shell(
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None, origins: Sequence[str] = (ANY,)
) -> FastAPI:
    """Return the routes without any part behind them: enough for the schema."""
    app = FastAPI(
        title="callspool",
        version=metadata.version("callspool"),
        description="Every call recording: fetched once, kept safe, played at once.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    for module in _ROUTERS:
        # Included, each route would be built anew at its first request: a tenth of a second for whoever comes first.
        app.router.routes.extend(module.router.routes)
    problems.install(app)
    app.add_middleware(BoundedBodies)
    app.add_middleware(Cors, for_all=origins)
    app.add_middleware(SafeHeaders)
    app.add_middleware(QuickWay)  # the first one: it puts on its answers what the others would
    app.openapi = lambda: _schema(app)  # type: ignore[method-assign]
    return app


class SafeHeaders:
    """Puts on every answer what keeps a browser from being fooled, unless the route said something stricter."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the answer's headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_page = scope["path"] in web.PAGES or scope["path"].startswith(("/assets/", "/recordings/"))

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                page_policy = getattr(scope["app"].state, "page_policy", PAGE_POLICY)
                if is_page:
                    headers.setdefault("content-security-policy", page_policy)
                for name, value in problems.SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, complete)


_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_BODY_REFUSALS: Final = {  # what `BoundedBodies` answers
    str(kind.status): {"description": kind.title, "content": {problems.MEDIA_TYPE: {"schema": _PROBLEM}}}
    for kind in (problems.KINDS["too_slow"], problems.KINDS["too_large"])
}


def _schema(app: FastAPI) -> dict[str, Any]:
    """Return OpenAPI with errors and events under the media types that they really have."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for operations_of in schema["paths"].values():
            for method, operation in operations_of.items():
                if method in ("post", "patch"):
                    operation["responses"] |= _BODY_REFUSALS
                if operation["operationId"] in PLAY - {"listenToEvents"}:
                    operation["responses"].pop("429", None)
                _mend(operation)
        for unused in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(unused, None)
        app.openapi_schema = schema
    return app.openapi_schema


def _mend(operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema == _PROBLEM or status == "422":
            answer["description"] = answer.get("description") or "Problem"
            answer["content"] = {problems.MEDIA_TYPE: {"schema": _PROBLEM}}
        elif operation["operationId"] == "listenToEvents" and status == "200":
            answer["content"] = {"text/event-stream": {"schema": {"$ref": "#/components/schemas/LiveEvent"}}}
