"""The number of shards with which a process that runs for long begins: the one in force, or it does not begin."""

import asyncio
from typing import Final

import structlog

from callspool.domain.errors import SchedulerUnavailable
from callspool.wiring import Parts

_PATIENCE_S: Final = 10.0


async def join_layout(parts: Parts, *, alone: bool = False) -> None:
    """Take part in the scheduler with our number of shards. Raises `Misconfigured` where another one is in force.

    A Valkey that does not answer stops nobody from starting; what is wrong is said when it does.
    *alone*: no other process works on this Valkey.
    """
    tenants = [tenant.id for tenant in await parts.store.tenants()]
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await parts.producer.join(tenants, alone=alone)
    except (SchedulerUnavailable, TimeoutError) as error:
        structlog.get_logger("callspool.cli").warning("scheduler.unavailable", error=str(error))
