"""The `RegistryStore` and `NumberStore` ports over either engine.

What each method promises stands in ``domain.ports``: ``registry`` and ``numbers``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from callspool.domain.audit import CALLSPOOL, Act, By
from callspool.domain.ids import AccountId, RecordingId, TenantId
from callspool.domain.recording import Recording
from callspool.domain.tenant import Account, Number, Tenant
from callspool.store import numbers, registry
from callspool.store.sqlpart import SqlPart


class SqlRegistry(SqlPart):
    """The part of the store that knows tenants, accounts, and whose number is whose."""

    async def add_tenant(self, tenant: Tenant, *, by: By = CALLSPOOL) -> None:
        act = Act("tenant.add", tenant.id, tenant.id, asdict(tenant))
        await self._act(by, act, lambda c: registry.add_tenant(c, tenant))

    async def set_tenant(self, tenant: Tenant, *, by: By = CALLSPOOL) -> None:
        act = Act("tenant.set", tenant.id, tenant.id, asdict(tenant))
        await self._act(by, act, lambda c: registry.set_tenant(c, tenant))

    async def adjust_tenant(
        self,
        tenant_id: TenantId,
        *,
        slots: int | None = None,
        weight: float | None = None,
        paused: bool | None = None,
        retention_days: int | None = None,
        allowed_origins: Sequence[str] | None = None,
        by: By = CALLSPOOL,
    ) -> Tenant:
        changes = _given(
            slots=slots, weight=weight, paused=paused, retention_days=retention_days, allowed_origins=allowed_origins
        )
        if retention_days == 0:
            changes["retention_days"] = None
        act = Act("tenant.set", tenant_id, tenant_id, changes)
        return await self._act(by, act, lambda c: registry.adjust_tenant(c, tenant_id, changes))

    async def origins(self) -> Mapping[TenantId, Sequence[str]]:
        return await self._database.read(registry.origins)

    async def tenant(self, tenant_id: TenantId) -> Tenant:
        return await self._database.read(lambda c: registry.tenant(c, tenant_id))

    async def tenants(self) -> Sequence[Tenant]:
        return await self._database.read(registry.all_tenants)

    async def add_account(self, account: Account, *, by: By = CALLSPOOL) -> None:
        act = Act("account.add", account.id, account.default_tenant, account.public)
        await self._act(by, act, lambda c: registry.add_account(c, account, self._envelope))

    async def set_account(self, account: Account, *, by: By = CALLSPOOL) -> None:
        act = Act("account.set", account.id, account.default_tenant, account.public)
        await self._act(by, act, lambda c: registry.set_account(c, account, self._envelope))

    async def remove_account(self, account_id: AccountId, *, by: By = CALLSPOOL) -> None:
        act = Act("account.remove", account_id)
        await self._act(by, act, lambda c: registry.remove_account(c, account_id))

    async def adjust_account(
        self, account_id: AccountId, *, limit: int | None = None, paused: bool | None = None, by: By = CALLSPOOL
    ) -> Account:
        changes = _given(limit=limit, paused=paused)
        act = Act("account.set", account_id, None, changes)
        return await self._act(by, act, lambda c: registry.adjust_account(c, account_id, changes, self._envelope))

    async def account(self, account_id: AccountId) -> Account:
        return await self._database.read(lambda c: registry.account(c, account_id, self._envelope))

    async def accounts(self) -> Sequence[Account]:
        return await self._database.read(lambda c: registry.all_accounts(c, self._envelope))

    async def set_number(self, number: Number) -> None:
        await self._database.write(lambda c: numbers.set_number(c, number))

    async def remove_number(self, number: str) -> None:
        await self._database.write(lambda c: numbers.remove_number(c, number))

    async def numbers(self) -> Sequence[Number]:
        return await self._database.read(numbers.all_numbers)

    async def set_aside(self, account: Account, *, after: RecordingId | None = None, limit: int) -> Sequence[Recording]:
        return await self._database.read(lambda c: numbers.set_aside(c, account, after, limit))

    async def assignable(self, account: Account, *, limit: int) -> Sequence[tuple[Recording, TenantId]]:
        return await self._database.read(lambda c: numbers.assignable(c, account, limit))

    async def assign(self, recording: Recording, tenant_id: TenantId) -> Recording | None:
        return await self._database.write(lambda c: numbers.assign(c, recording, tenant_id, self._clock.now()))


def _given(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}
