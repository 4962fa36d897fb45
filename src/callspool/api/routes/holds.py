"""Legal holds: what is held is not purged, by nobody. Only the operator adds and removes them."""

from typing import Annotated, Self

import structlog
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from callspool.api.auth import Operator
from callspool.api.links import recording_id
from callspool.api.problems import responses
from callspool.api.schemas import HoldView
from callspool.api.services import ServicesOf
from callspool.domain.ids import TenantId

router = APIRouter(prefix="/api/holds", tags=["holds"])
_log = structlog.get_logger("callspool.api")


class HoldWish(BaseModel):
    """What to hold: one recording, or all of a tenant."""

    model_config = ConfigDict(extra="forbid")

    recording_id: str | None = None
    tenant_id: str | None = None
    why: str = Field(min_length=1, max_length=500, description="The matter. Whoever wants to delete is told.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.recording_id is None) == (self.tenant_id is None):
            raise ValueError("give recording_id or tenant_id")
        return self


class HoldList(BaseModel):
    """Holds, oldest first."""

    holds: list[HoldView]


@router.get("", operation_id="listHolds", responses=responses(403))
async def list_holds(
    services: ServicesOf, _: Operator, tenant: Annotated[str | None, Query(description="Only this tenant's.")] = None
) -> HoldList:
    """List what is held. For the operator."""
    found = await services.store.holds(TenantId(tenant) if tenant is not None else None)
    return HoldList(holds=[HoldView.of(hold) for hold in found])


@router.post("", operation_id="addHold", status_code=201, responses=responses(403, 404, 409, 422))
async def add_hold(wish: HoldWish, services: ServicesOf, caller: Operator) -> HoldView:
    """Hold a recording, or a tenant's, those that come too: nothing of it is purged from now on. For the operator."""
    if wish.recording_id is not None:
        hold = await services.store.hold_recording(None, recording_id(wish.recording_id), why=wish.why, by=caller.by)
    else:
        hold = await services.store.hold_tenant(TenantId(wish.tenant_id or ""), why=wish.why, by=caller.by)
    _log.info("hold.added", hold=hold.id, tenant_id=hold.tenant_id, recording_id=hold.recording_id, actor=caller.actor)
    return HoldView.of(hold)


@router.delete("/{id}", operation_id="removeHold", responses=responses(403, 404))
async def remove_hold(id: str, services: ServicesOf, caller: Operator) -> HoldView:  # noqa: A002 - its JSON name
    """Remove a hold; others on the same thing go on. For the operator."""
    hold = await services.store.remove_hold(id, by=caller.by)
    _log.info("hold.removed", hold=hold.id, tenant_id=hold.tenant_id, actor=caller.actor)
    return HoldView.of(hold)
