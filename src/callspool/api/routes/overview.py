"""What is happening now: slots, backlog and accounts, from the scheduler; where recordings stand, from the store."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter

from callspool.api.auth import Caller
from callspool.api.dashboard import AccountNow, Overview, TenantNow
from callspool.api.problems import responses
from callspool.api.routes.tenants import loads_of, tenants_of
from callspool.api.services import ServicesOf
from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.job import PoolLoad, TenantLoad
from callspool.domain.ports import Producer, StateCount
from callspool.domain.recording import State
from callspool.domain.tenant import Account, Tenant

router = APIRouter(prefix="/api", tags=["dashboard"])


@router.get("/overview", operation_id="getOverview", responses=responses())
async def get_overview(services: ServicesOf, caller: Caller) -> Overview:
    """Say what is happening: of all for the operator, of itself for a tenant. The work is bounded: ask at will."""
    store, now = services.store, services.clock.now()
    tenants = await tenants_of(store, caller)
    counts = await store.count(caller.tenant_id)
    loads = await loads_of(services.producer, tenants)
    accounts = await store.accounts() if caller.tenant_id is None else None
    pools = await _pools(services.producer, accounts or (), tenants)
    return Overview(
        at=now,
        tenants=[_tenant(tenant, counts, loads.get(tenant.id), now) for tenant in tenants],
        accounts=None if accounts is None else [account_now(one, pools.get(one.id)) for one in accounts],
    )


async def _pools(producer: Producer, accounts: Sequence[Account], tenants: Sequence[Tenant]) -> Mapping[str, PoolLoad]:
    if not accounts:
        return {}
    try:
        loads = await producer.pool_loads([account.id for account in accounts], [tenant.id for tenant in tenants])
    except SchedulerUnavailable:
        return {}
    return {load.pool: load for load in loads}


def _tenant(tenant: Tenant, counts: Sequence[StateCount], load: TenantLoad | None, now: datetime) -> TenantNow:
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
        running=load.running if load else None,
        waiting=load.waiting if load else None,
        deferred=load.deferred if load else None,
        oldest_waiting_at=now - timedelta(milliseconds=load.oldest_wait_ms) if load and waits else None,
        states=states,
    )


def account_now(account: Account, load: PoolLoad | None) -> AccountNow:
    """Return what may be shown of *account*: nothing of its credentials."""
    until = load.paused_until_ms if load and load.paused_until_ms > load.now_ms else None
    return AccountNow(
        id=account.id,
        provider=account.provider,
        limit=account.limit,
        current_limit=load.limit if load else None,
        paused=account.paused,
        paused_until=None if until is None else datetime.fromtimestamp(until / 1000, UTC),
        paused_because=load.cause or None if load and until is not None else None,
        running=load.running if load else None,
        waiting=load.waiting if load else None,
        circuit=load.circuit if load else None,
        retry_budget=load.retries if load else None,
    )
