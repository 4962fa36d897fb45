"""Tenants and accounts."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from callspool.domain.audit import CALLSPOOL, By
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.tenant import Account, Tenant


class RegistryStore(Protocol):
    """Keeps tenants and accounts. Each change is audited in its own transaction."""

    async def add_tenant(self, tenant: Tenant, *, by: By = CALLSPOOL) -> None:
        """Insert it, or raise `Conflict`."""
        ...

    async def set_tenant(self, tenant: Tenant, *, by: By = CALLSPOOL) -> None:
        """Replace it, or raise `NotFound`."""
        ...

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
        """Change what is given, in one step, and return it; or raise `NotFound`.

        A retention of 0: for ever. No origins: those of the setting.
        """
        ...

    async def origins(self) -> Mapping[TenantId, Sequence[str]]:
        """Return the web origins of each tenant that has some of its own."""
        ...

    async def tenant(self, tenant_id: TenantId) -> Tenant:
        """Return it or raise `NotFound`."""
        ...

    async def tenants(self) -> Sequence[Tenant]:
        """Return all, by id."""
        ...

    async def add_account(self, account: Account, *, by: By = CALLSPOOL) -> None:
        """Insert it (secrets encrypted), or raise `Conflict`; `NotFound` if its default tenant does not exist."""
        ...

    async def set_account(self, account: Account, *, by: By = CALLSPOOL) -> None:
        """Replace it, or raise `NotFound`."""
        ...

    async def remove_account(self, account_id: AccountId, *, by: By = CALLSPOOL) -> None:
        """Delete it, or raise `NotFound`, or `Conflict` where it has recordings."""
        ...

    async def adjust_account(
        self, account_id: AccountId, *, limit: int | None = None, paused: bool | None = None, by: By = CALLSPOOL
    ) -> Account:
        """Change what is given, in one step, and return it; or raise `NotFound`."""
        ...

    async def account(self, account_id: AccountId) -> Account:
        """Return it or raise `NotFound`."""
        ...

    async def accounts(self) -> Sequence[Account]:
        """Return all, by id."""
        ...
