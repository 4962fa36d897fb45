"""Tenants: what their slots do and where their recordings stand."""

from collections.abc import Mapping, Sequence

import structlog
from fastapi import APIRouter

from callspool.api.auth import Caller, Operator, Principal
from callspool.api.dashboard import TenantChange, TenantSettings
from callspool.api.problems import responses
from callspool.api.schemas import TenantList, TenantView
from callspool.api.services import ServicesOf
from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.ids import TenantId
from callspool.domain.job import TenantLoad
from callspool.domain.origins import checked_origins
from callspool.domain.ports.counts import StateCount
from callspool.domain.ports.registry import RegistryStore
from callspool.domain.ports.scheduler import Producer
from callspool.domain.recording import State
from callspool.domain.tenant import Tenant

router = APIRouter(prefix="/api", tags=["tenants"])
_log = structlog.get_logger("callspool.api")


@router.get("/tenants", operation_id="listTenants", responses=responses())
async def list_tenants(services: ServicesOf, caller: Caller) -> TenantList:
    """List the tenants that this key may see."""
    store = services.store
    tenants = await tenants_of(store, caller)
    counts = await store.count(caller.tenant_id)
    loads = await loads_of(services.producer, tenants)
    return TenantList(tenants=[_view(tenant, counts, loads.get(tenant.id)) for tenant in tenants])


async def tenants_of(store: RegistryStore, caller: Principal) -> Sequence[Tenant]:
    """Return the tenants that exist for *caller*."""
    return [await store.tenant(caller.tenant_id)] if caller.tenant_id else await store.tenants()


async def loads_of(producer: Producer, tenants: Sequence[Tenant]) -> Mapping[str, TenantLoad]:
    """Return the scheduler's figures by tenant; none where it does not answer."""
    try:
        return {load.tenant: load for load in await producer.load([tenant.id for tenant in tenants])}
    except SchedulerUnavailable:
        return {}


@router.patch("/tenants/{id}", operation_id="changeTenant", responses=responses(403, 404, 422))
async def change_tenant(id: str, change: TenantChange, services: ServicesOf, caller: Operator) -> TenantSettings:  # noqa: A002 - its JSON name
    """Change a tenant's limits or pause it: in the store, then at once in the scheduler. For the operator."""
    tenant = await services.store.adjust_tenant(
        TenantId(id),
        slots=change.slots,
        weight=change.weight,
        paused=change.paused,
        retention_days=change.keep_days,
        allowed_origins=None if change.allowed_origins is None else checked_origins(change.allowed_origins),
        by=caller.by,
    )
    try:
        await services.producer.set_tenant(tenant.id, slots=tenant.slots, weight=tenant.weight, paused=tenant.paused)
        in_force = True
    except SchedulerUnavailable:
        in_force = False  # the reconciler tells it
    _log.info("tenant.changed", tenant_id=tenant.id, actor=caller.actor, **change.model_dump(exclude_none=True))
    return TenantSettings(
        id=tenant.id,
        name=tenant.name,
        slots=tenant.slots,
        weight=tenant.weight,
        paused=tenant.paused,
        keep_days=tenant.retention_days,
        allowed_origins=list(tenant.allowed_origins),
        in_force=in_force,
    )


def _view(tenant: Tenant, counts: Sequence[StateCount], load: TenantLoad | None) -> TenantView:
    states: dict[State, int] = {}
    reasons = {}
    for row in counts:
        if row.tenant_id == tenant.id:
            states[row.state] = states.get(row.state, 0) + row.count
            if row.state is State.FAILED and row.reason:
                reasons[row.reason] = row.count
    return TenantView(
        id=tenant.id,
        name=tenant.name,
        slots=tenant.slots,
        weight=tenant.weight,
        paused=tenant.paused,
        running=load.running if load else None,
        waiting=load.waiting if load else None,
        deferred=load.deferred if load else None,
        oldest_wait_s=load.oldest_wait_ms / 1000 if load else None,
        states=states,
        reasons=reasons,
    )
