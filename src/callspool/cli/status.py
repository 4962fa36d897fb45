"""``callspool status``: what is going on, by tenant."""

from collections import Counter
from typing import Any

from callspool.cli.console import err, out, print_json, print_table
from callspool.cli.context import Data, Json, read_settings, run
from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.recording import State
from callspool.wiring import Parts


async def collect(parts: Parts) -> list[dict[str, Any]]:
    """Return each tenant's figures; those of the scheduler are None where it does not answer."""
    tenants = await parts.store.tenants()
    counts: dict[str, Counter[str]] = {tenant.id: Counter() for tenant in tenants}
    for row in await parts.store.count(None):
        counts[row.tenant_id][row.state] += row.count
    try:
        loads = {load.tenant: load for load in await parts.producer.load([tenant.id for tenant in tenants])}
    except SchedulerUnavailable:
        loads = {}
    figures = []
    for tenant in tenants:
        load = loads.get(tenant.id)
        figures.append(
            {
                "tenant": tenant.id,
                "slots": tenant.slots,
                "paused": tenant.paused,
                "running": load.running if load else None,
                "waiting": load.waiting if load else None,
                "deferred": load.deferred if load else None,
                "oldest_wait_s": load.oldest_wait_ms / 1000 if load else None,
                "states": dict(counts[tenant.id]),
            }
        )
    return figures


def status(data: Data = None, json: Json = False) -> None:
    """Show what is going on, by tenant."""
    figures = run(read_settings(data), collect)
    if json:
        print_json(figures)
        return
    if not figures:
        out.print("No tenants yet: callspool tenants add NAME")
        return
    shown = [State.QUEUED, State.FETCHING, State.READY, State.FAILED]
    rows = [
        (
            *(one["tenant"], f"{'–' if one['running'] is None else one['running']}/{one['slots']}"),
            *(one["waiting"], one["deferred"]),
            *(one["states"].get(state, 0) for state in shown),
        )
        for one in figures
    ]
    print_table("Tenants", ("tenant", "slots", "waiting", "deferred", *shown), rows)
    if any(one["running"] is None for one in figures):
        err.print("Valkey does not answer, so slots and backlog are not known. Is 'callspool up' running?")
