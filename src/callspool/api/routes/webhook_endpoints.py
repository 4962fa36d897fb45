"""Webhook endpoints: who is told what becomes of recordings. A tenant has its own; the operator's are told of all."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from callspool.api.auth import Caller
from callspool.api.problems import responses
from callspool.api.services import ServicesOf
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.webhook import SECRET_BYTES, Delivery, DeliveryState, Endpoint, Subject, check_url, new_endpoint

router = APIRouter(prefix="/api/webhook-endpoints", tags=["webhook endpoints"])

_MOST_SHOWN = 200


class EndpointWish(BaseModel):
    """An endpoint to add."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=2000, description="Where messages are posted: https, a public address.")
    tenant_id: str | None = Field(
        default=None, description="Whose recordings it is told of. Null: the caller's own; for the operator, all."
    )
    events: list[Subject] = Field(default=list(Subject), min_length=1, description="What it is told.")


class EndpointView(BaseModel):
    """An endpoint, without its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    tenant_id: TenantId | None
    url: str
    events: Sequence[Subject]
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None = Field(description="Since when it is told no more.")
    disabled_because: str | None

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Return what may be shown of *endpoint*."""
        return cls.model_validate(endpoint)


class NewEndpoint(EndpointView):
    """An endpoint that was just added."""

    secret: str = Field(description="`whsec_…`: what its messages are signed with. It is shown this once.")


class EndpointList(BaseModel):
    """The caller's endpoints, oldest first."""

    endpoints: list[EndpointView]


class DeliveryView(BaseModel):
    """A message and what came of it."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="Its `webhook-id`: the same at each try.")
    type: Subject
    recording_id: RecordingId
    state: DeliveryState
    attempts: int
    status: int | None = Field(description="The last answer's.")
    error: str | None
    created_at: datetime
    not_before: datetime | None = Field(description="When it is tried again.")
    ended_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Return what may be shown of *delivery*."""
        return cls.model_validate(delivery)


class DeliveryList(BaseModel):
    """An endpoint's newest messages, newest first."""

    deliveries: list[DeliveryView]


@router.get("", operation_id="listWebhookEndpoints", responses=responses())
async def list_endpoints(services: ServicesOf, caller: Caller) -> EndpointList:
    """List the caller's endpoints."""
    return EndpointList(endpoints=[EndpointView.of(one) for one in await services.store.endpoints(caller.tenant_id)])


@router.post("", operation_id="addWebhookEndpoint", status_code=201, responses=responses(404, 422))
async def add_endpoint(wish: EndpointWish, services: ServicesOf, caller: Caller) -> NewEndpoint:
    """Add an endpoint. Its secret is in this answer and never again."""
    check_url(wish.url, private=services.settings.webhook_private)
    endpoint = new_endpoint(
        caller.scope(wish.tenant_id),
        wish.url,
        wish.events,
        now=services.clock.now(),
        randomness=secrets.token_bytes(SECRET_BYTES + 8),
    )
    await services.store.add_endpoint(endpoint, by=caller.by)
    return NewEndpoint.of(endpoint)


@router.delete("/{id}", operation_id="removeWebhookEndpoint", status_code=204, responses=responses(404))
async def remove_endpoint(id: str, services: ServicesOf, caller: Caller) -> Response:  # noqa: A002 - its JSON name
    """Remove an endpoint; messages that wait are not sent any more."""
    await services.store.remove_endpoint(caller.tenant_id, id, by=caller.by)
    return Response(status_code=204)


@router.get("/{id}/deliveries", operation_id="listWebhookDeliveries", responses=responses(404, 422))
async def list_deliveries(
    id: str,  # noqa: A002 - its JSON name
    services: ServicesOf,
    caller: Caller,
    limit: Annotated[int, Query(ge=1, le=_MOST_SHOWN)] = 50,
) -> DeliveryList:
    """List what was sent to an endpoint, and what came of it."""
    found = await services.store.deliveries(caller.tenant_id, id, limit=limit)
    return DeliveryList(deliveries=[DeliveryView.of(one) for one in found])
