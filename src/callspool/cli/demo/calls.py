"""The demo's calls: a stream over six tenants, one of them with a burst, some with faults of the provider."""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Final

from callspool.cli.demo.stage import ACCOUNT_SID, TENANTS, SetUp

BURST_SHARE: Final = 2 / 3
"""Of all calls: the burst of one tenant, 200 of 300."""
_FAULTY: Final = 0.2
_FAULTS: Final = ("404:2", "429:1:2", "503:2", "reset", "stall", "short:0.5:1", "truncated:0.5:1", "html:1", "410")
_CALLBACK_FAULTS: Final = ("duplicate", "reordered")
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Call:
    """A call to be made."""

    tenant: str
    duration_s: float
    seed: int
    fault: str | None
    callback_fault: str | None


def plan(seed: int, count: int) -> list[Call]:
    """Return the calls that *seed* makes."""
    random = Random(seed)  # noqa: S311 -- reproducible, not secret
    burst = int(count * BURST_SHARE)
    names = [TENANTS[-1].id] * burst + [random.choice(TENANTS[:-1]).id for _ in range(count - burst)]
    calls = []
    for number, tenant in enumerate(names):
        faulty = random.random() < _FAULTY
        callback_faulty = random.random() < _FAULTY / 2
        calls.append(
            Call(
                tenant=tenant,
                duration_s=round(random.uniform(1, 20), 1),
                seed=seed * 1_000_003 + number,
                fault=random.choice(_FAULTS) if faulty else None,
                callback_fault=random.choice(_CALLBACK_FAULTS) if callback_faulty else None,
            )
        )
    return calls


async def place_all(set_up: SetUp, calls: list[Call], *, pause_s: float) -> None:
    """Have the provider make the calls and send its callbacks."""
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def place(call: Call) -> None:
        async with at_once:
            await set_up.simulator.post(
                "/_simulator/recordings",
                {
                    "account_sid": ACCOUNT_SID,
                    "tag": call.tenant,
                    "duration_s": call.duration_s,
                    "channels": 2,
                    "seed": call.seed,
                    "faults": [call.fault] if call.fault else [],
                    "callback_faults": [call.callback_fault] if call.callback_fault else [],
                    "callback_url": set_up.webhook_url(call.tenant),
                    "events": ["in-progress", "completed"],
                },
            )

    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(place(call))
            if pause_s:
                await asyncio.sleep(pause_s)  # the pace of the callers, not of a worker
