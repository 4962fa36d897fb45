"""Providers' webhooks: HTTP only; `Ingest` has the logic."""

from fastapi import APIRouter, Request, Response

from callspool.api.problems import responses
from callspool.api.rates import Rates
from callspool.api.services import ServicesOf
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.ports.provider import WebhookRequest
from callspool.ingest.webhooks import Ingest

router = APIRouter(tags=["webhooks"])

_RESPONSES = {code: answer for code, answer in responses(403, 404, 422).items() if code != 401}


@router.post("/webhooks/{provider}/{account}", operation_id="receiveWebhook", status_code=204, responses=_RESPONSES)
async def receive(provider: str, account: str, request: Request, services: ServicesOf) -> Response:
    """Take in what a provider tells of a recording, for the account's default tenant."""
    return await _receive(provider, account, None, request, services)


@router.post(
    "/webhooks/{provider}/{account}/{tenant}",
    operation_id="receiveWebhookOfTenant",
    status_code=204,
    responses=_RESPONSES,
)
async def receive_for_tenant(
    provider: str, account: str, tenant: str, request: Request, services: ServicesOf
) -> Response:
    """Take in what a provider tells of a recording of the named tenant."""
    return await _receive(provider, account, TenantId(tenant), request, services)


async def _receive(
    provider: str, account: str, tenant: TenantId | None, request: Request, services: ServicesOf
) -> Response:
    webhook = WebhookRequest(
        url=public_url(services.settings.public_url, request),
        headers=dict(request.headers),
        body=await request.body(),
    )
    rates: Rates = request.app.state.webhook_rates
    ingest = Ingest(services.store, services.producer, services.bulletin, services.providers, rates.count)
    await ingest.receive(provider, AccountId(account), tenant, webhook)
    return Response(status_code=204)


def public_url(base: str, request: Request) -> str:
    """Return the address that the provider signed: Host and forwarding fields are anybody's to write."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return base.rstrip("/") + path.decode("latin-1") + ("?" + query.decode("latin-1") if query else "")
