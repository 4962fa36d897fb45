"""What is happening now: slots, backlog and accounts, from the scheduler; where recordings stand, from the store."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from fastapi import APIRouter

from callspool.api.auth import Caller
from callspool.api.dashboard import Overview, TenantNow
from callspool.api.problems import responses
from callspool.api.routes.accounts import accounts_now
from callspool.api.routes.tenants import loads_of, tenants_of
from callspool.api.services import ServicesOf
from callspool.domain.job import TenantLoad
from callspool.domain.pace import per_minute, recent
from callspool.domain.ports.counts import StateCount
from callspool.domain.recording import State
from callspool.domain.tenant import Tenant

router = APIRouter(prefix="/api", tags=["dashboard"])


@router.get("/overview", operation_id="getOverview", responses=responses())
async def get_overview(services: ServicesOf, caller: Caller) -> Overview:
    """Say what is happening: of all for the operator, of itself for a tenant. The work is bounded: ask at will."""
    store, now = services.store, services.clock.now()
    tenants = await tenants_of(store, caller)
    counts = await store.count(caller.tenant_id)
    loads = await loads_of(services.producer, tenants)
    ready = await store.ready_of_tenants([tenant.id for tenant in tenants], recent(now))
    accounts = await store.accounts() if caller.tenant_id is None else ()
    return Overview(
        at=now,
        tenants=[
            _tenant(tenant, counts, loads.get(tenant.id), now, per_minute(ready[tenant.id], now)) for tenant in tenants
        ],
        accounts=await accounts_now(services, accounts, tenants),
    )


def _tenant(
    tenant: Tenant, counts: Sequence[StateCount], load: TenantLoad | None, now: datetime, rate: float
) -> TenantNow:
    states: dict[State, int] = {}
    for row in counts:
        if row.tenant_id == tenant.id:
            states[row.state] = states.get(row.state, 0) + row.count
    waits = load is not None and load.waiting > 0
    return TenantNow(
        id=tenant.id,
        name=tenant.name,
        slots=tenant.slots,
        weight=tenant.weight,
        paused=tenant.paused,
        allowed_origins=list(tenant.allowed_origins),
        running=load.running if load else None,
        waiting=load.waiting if load else None,
        deferred=load.deferred if load else None,
        oldest_waiting_at=now - timedelta(milliseconds=load.oldest_wait_ms) if load and waits else None,
        ready_per_minute=rate,
        states=states,
    )
