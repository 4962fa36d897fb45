"""The number of shards with which a process that runs for long begins: the one in force, or it does not begin."""

import asyncio
from typing import Final

import structlog

from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.ports.store import Store
from callspool.wiring import Parts

_PATIENCE_S: Final = 10.0


async def all_with_jobs(store: Store) -> list[str]:
    """Return all who may have jobs in the scheduler: tenants, and the endpoints to which messages are sent."""
    return [*(one.id for one in await store.tenants()), *(one.id for one in await store.endpoints(None))]


async def join_layout(parts: Parts, *, alone: bool = False) -> None:
    """Take part in the scheduler with our number of shards. Raises `Misconfigured` where another one is in force.

    A Valkey that does not answer stops nobody from starting; what is wrong is said when it does.
    *alone*: no other process works on this Valkey.
    """
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await parts.producer.join(await all_with_jobs(parts.store), alone=alone)
    except (SchedulerUnavailable, TimeoutError) as error:
        why = str(error) or f"Valkey does not answer: no answer within {_PATIENCE_S:g} s"  # a time limit says nothing
        structlog.get_logger("callspool.cli").warning("scheduler.unavailable", error=why)
