"""Is it alive, can it work, and what does it do: for supervisors, load balancers and Prometheus."""

import asyncio
import ipaddress
from collections.abc import Awaitable
from typing import Final

from fastapi import APIRouter, Request, Response

from callspool.api.auth import find_caller
from callspool.api.problems import Refusal
from callspool.api.routes.accounts import loads_of_accounts
from callspool.api.routes.tenants import loads_of
from callspool.api.schemas import Readiness
from callspool.api.services import ServicesOf
from callspool.domain.errors import Unavailable
from callspool.telemetry import METRICS_TYPE, Metrics, render_state

PART_TIME_S: Final = 2.0

router = APIRouter(tags=["operations"])


@router.get("/healthz", operation_id="isAlive", status_code=204, response_class=Response)
async def is_alive() -> Response:
    """Answer as long as the process can."""
    return Response(status_code=204)


@router.get("/readyz", operation_id="isReady", responses={503: {"model": Readiness, "description": "A part is away"}})
async def is_ready(response: Response, services: ServicesOf) -> Readiness:
    """Say which parts answer. 503: not all do, so work must go elsewhere."""
    pings = {"store": services.store.ping(), "scheduler": services.producer.ping(), "vault": services.vault.ping()}
    answers = dict(zip(pings, await asyncio.gather(*map(_answers, pings.values())), strict=True))
    ready = all(answers.values())
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, parts={name: "ok" if ok else "unavailable" for name, ok in answers.items()})


async def _answers(ping: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(PART_TIME_S):
            await ping
    except (Unavailable, TimeoutError):
        return False
    return True


@router.get("/metrics", operation_id="getMetrics", response_class=Response)
async def get_metrics(request: Request, services: ServicesOf) -> Response:
    """Return the figures for Prometheus: to this machine, or with the operator's key. They name tenants."""
    if not _from_here(request):
        principal = await find_caller(request, services)
        if principal is None or principal.tenant_id is not None:
            raise Refusal("operator_only")
    metrics: Metrics = request.app.state.metrics
    tenants = await services.store.tenants()
    counts = await services.store.count(None)
    loads = await loads_of(services.producer, tenants)
    of_accounts = await loads_of_accounts(services.producer, await services.store.accounts(), tenants)
    body = metrics.render() + render_state(
        counts, list(loads.values()), list(of_accounts.values()), services.clock.now()
    )
    return Response(body, media_type=METRICS_TYPE)


def _from_here(request: Request) -> bool:
    """Say whether the request comes from this machine and through no proxy."""
    if request.client is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
