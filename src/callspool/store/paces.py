"""Counts ends of fetches by step of time and bucket of waiting, in the transaction of each end.

What is of all tenants together is counted beside what is of each: a series of everything is as short as one's own.
So is what came of each account.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from callspool.domain.ids import AccountId, TenantId
from callspool.domain.pace import Ended, bucket_of, step_of
from callspool.domain.recording import Event
from callspool.store.dialects import insert_or_add
from callspool.store.tables import events, paces

EVERYONE: Final = ""
"""In place of a tenant's id."""

_ACCOUNT: Final = "account:"
"""Before an account's id, in place of a tenant's: no tenant's id has a colon."""
_AT_ONCE: Final = 500
"""Ids in one question: far below what an engine takes as parameters."""

_FAILED: Final = -1
_BEGINS: Final = (Event.ENQUEUE.value, Event.RETRY.value)
_MORE: Final = insert_or_add(paces, ("tenant_id", "at", "bucket"), "n")


def count(connection: Connection, event: Event, row: Row[Any], at: datetime) -> None:
    """Count the end that *event* is; others are none."""
    match event:
        case Event.KEEP:
            bucket = bucket_of(at - (_begun(connection, row.id) or row.created_at))
        case Event.GIVE_UP:
            bucket = _FAILED
        case _:
            return
    for tenant in (EVERYONE, row.tenant_id, _ACCOUNT + row.account_id):
        connection.execute(
            _MORE[connection.dialect.name], {"tenant_id": tenant, "at": step_of(at), "bucket": bucket, "n": 1}
        )


def since(connection: Connection, tenant_id: TenantId | None, at: datetime) -> Sequence[Ended]:
    """Return the steps from that of *at* on in which anything ended, in order."""
    query = select(paces).where(paces.c.tenant_id == (tenant_id or EVERYONE), paces.c.at >= step_of(at))
    steps: dict[datetime, dict[int, int]] = {}
    for row in connection.execute(query.order_by(paces.c.at, paces.c.bucket)):
        steps.setdefault(row.at, {})[row.bucket] = row.n
    return [Ended(begun, counts.pop(_FAILED, 0), counts) for begun, counts in steps.items()]


def ready_of_tenants(connection: Connection, tenants: Sequence[TenantId], at: datetime) -> Mapping[TenantId, int]:
    """Return how many recordings of each became ready from the step of *at* on."""
    found = _ready(connection, tenants, at)
    return {tenant: found.get(tenant, 0) for tenant in tenants}


def ready_of_accounts(connection: Connection, accounts: Sequence[AccountId], at: datetime) -> Mapping[AccountId, int]:
    """Return how many recordings of each became ready from the step of *at* on."""
    found = _ready(connection, [_ACCOUNT + account for account in accounts], at)
    return {account: found.get(_ACCOUNT + account, 0) for account in accounts}


def _ready(connection: Connection, whose: Sequence[str], at: datetime) -> Mapping[str, int]:
    query = select(paces.c.tenant_id, func.sum(paces.c.n)).group_by(paces.c.tenant_id)
    query = query.where(paces.c.at >= step_of(at), paces.c.bucket > _FAILED)
    counts: dict[str, int] = {}
    for first in range(0, len(whose), _AT_ONCE):
        some = query.where(paces.c.tenant_id.in_(whose[first : first + _AT_ONCE]))
        counts.update((name, int(n)) for name, n in connection.execute(some))
    return counts


def _begun(connection: Connection, recording_id: str) -> datetime | None:
    """Return when it was queued for the last time: by its notice, or by a person's retry."""
    at = select(func.max(events.c.at)).where(events.c.recording_id == recording_id, events.c.event.in_(_BEGINS))
    return connection.execute(at).scalar()
