"""Provider accounts: what their downloads do, and what an operator may change of them. Credentials are never here."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from fastapi import APIRouter

from callspool.api.auth import Operator
from callspool.api.dashboard import AccountChange, AccountList, AccountNow, AccountSettings
from callspool.api.problems import responses
from callspool.api.services import Services, ServicesOf
from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.ids import AccountId
from callspool.domain.job import PoolLoad
from callspool.domain.pace import per_minute, recent
from callspool.domain.ports.scheduler import Producer
from callspool.domain.tenant import Account, Tenant

router = APIRouter(prefix="/api/accounts", tags=["accounts"])
_log = structlog.get_logger("callspool.api")


@router.get("", operation_id="listAccounts", responses=responses(403))
async def list_accounts(services: ServicesOf, _: Operator) -> AccountList:
    """List the accounts. For the operator."""
    tenants = await services.store.tenants()
    return AccountList(accounts=await accounts_now(services, await services.store.accounts(), tenants))


@router.patch("/{id}", operation_id="changeAccount", responses=responses(403, 404, 422))
async def change_account(id: str, change: AccountChange, services: ServicesOf, caller: Operator) -> AccountSettings:  # noqa: A002 - its JSON name
    """Change an account's limit or pause it: in the store, then at once in the scheduler. For the operator."""
    account = await services.store.adjust_account(AccountId(id), limit=change.limit, paused=change.paused, by=caller.by)
    try:
        await services.producer.set_pool(account.id, limit=account.limit, paused=account.paused)
        in_force = True
    except SchedulerUnavailable:
        in_force = False  # the reconciler tells it
    _log.info("account.changed", account_id=account.id, actor=caller.actor, **change.model_dump(exclude_none=True))
    return AccountSettings(
        id=account.id,
        provider=account.provider,
        default_tenant=account.default_tenant,
        limit=account.limit,
        paused=account.paused,
        in_force=in_force,
    )


async def accounts_now(services: Services, accounts: Sequence[Account], tenants: Sequence[Tenant]) -> list[AccountNow]:
    """Return what the accounts do, with the figures of the scheduler where it answers."""
    if not accounts:
        return []
    loads = await loads_of_accounts(services.producer, accounts, tenants)
    now = services.clock.now()
    ready = await services.store.ready_of_accounts([account.id for account in accounts], recent(now))
    return [_now(account, loads.get(account.id), now, per_minute(ready[account.id], now)) for account in accounts]


async def loads_of_accounts(
    producer: Producer, accounts: Sequence[Account], tenants: Sequence[Tenant]
) -> Mapping[str, PoolLoad]:
    """Return the scheduler's figures by account; none where it does not answer."""
    try:
        found = await producer.pool_loads([account.id for account in accounts], [tenant.id for tenant in tenants])
    except SchedulerUnavailable:
        return {}
    return {load.pool: load for load in found}


def _now(account: Account, load: PoolLoad | None, now: datetime, rate: float) -> AccountNow:
    until = load.paused_until_ms if load and load.paused_until_ms > load.now_ms else None
    waits = load is not None and load.waiting > 0
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
        oldest_waiting_at=now - timedelta(milliseconds=load.oldest_wait_ms) if load and waits else None,
        circuit=load.circuit if load else None,
        retry_budget=load.retries if load else None,
        ready_per_minute=rate,
    )
