"""Retention: what a tenant keeps for so many days is purged after them, some at a time."""

from datetime import timedelta
from typing import Final

import structlog

from callspool.domain.audit import By
from callspool.domain.errors import Conflict
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.store import Store
from callspool.lifecycle.purge import Purger

BY: Final = By("lifecycle")

_log = structlog.get_logger("callspool.lifecycle")


async def purge_expired(store: Store, purger: Purger, clock: Clock, *, limit: int) -> int:
    """Purge, for each tenant, up to *limit* recordings whose time is over; return how many."""
    count = 0
    for tenant in await store.tenants():
        if not tenant.retention_days or tenant.held:
            continue  # a hold beats the policy
        before = clock.now() - timedelta(days=tenant.retention_days)
        why = f"kept for {tenant.retention_days} days, as the tenant's retention says"
        for recording in await store.expired(tenant.id, before, limit=limit):
            try:
                await purger.purge(tenant.id, recording.id, by=BY, why=why)
            except Conflict:
                continue  # it moved, or was held, meanwhile
            count += 1
    if count:
        _log.info("recordings.expired", count=count)
    return count
