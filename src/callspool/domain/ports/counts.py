"""How many recordings are where, and how fast they come through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from callspool.domain.ids import AccountId, TenantId
from callspool.domain.pace import Ended
from callspool.domain.reasons import Reason
from callspool.domain.recording import State


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many of a tenant's recordings are in a state (with that reason, where failed)."""

    tenant_id: TenantId
    state: State
    reason: Reason | None
    count: int
    oldest: datetime | None
    """When the oldest of them came to be in this state."""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """A tenant's failed recordings of one reason."""

    tenant_id: TenantId
    reason: Reason
    accounts: Mapping[AccountId, int]
    """How many, by account."""
    oldest: datetime
    newest: datetime
    """When the first and the last of them failed."""

    @property
    def count(self) -> int:
        """How many they are."""
        return sum(self.accounts.values())


class CountStore(Protocol):
    """Counts, with work that does not grow with the number of recordings."""

    async def throughput(self, tenant_id: TenantId | None, since: datetime) -> Sequence[Ended]:
        """Return how fetches ended, by step of time from that of *since* on. The work is bounded by the time asked."""
        ...

    async def ready_of_tenants(self, tenants: Sequence[TenantId], since: datetime) -> Mapping[TenantId, int]:
        """Return how many recordings of each became ready, from the step of *since* on. Bounded by the time asked."""
        ...

    async def ready_of_accounts(self, accounts: Sequence[AccountId], since: datetime) -> Mapping[AccountId, int]:
        """Return how many recordings of each became ready, from the step of *since* on. Bounded by the time asked."""
        ...

    async def count(self, tenant_id: TenantId | None) -> Sequence[StateCount]:
        """Return how many recordings are in which state. The work does not grow with their number."""
        ...

    async def failures(self, tenant_id: TenantId | None) -> Sequence[FailureGroup]:
        """Return the failed recordings by reason, tenant and account. The work does not grow with their number."""
        ...
