"""The demo's calls: a mixed stream over six tenants, a burst of one of them, some with faults of the provider."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from random import Random
from typing import Final

from callspool.cli.demo.stage import ACCOUNT_SID, TENANTS, SetUp

BURST: Final = 200
"""Calls of one tenant that are made at once while a person watches."""
_BURST_SHARE: Final = 2 / 3
"""Of all calls of a run that ends: those of the one tenant, 200 of 300."""
_BURST_TENANT: Final = TENANTS[-1].id
_FAULTY: Final = 0.2
_FAULTS: Final = ("404:2", "429:1:2", "503:2", "reset", "stall", "short:0.5:1", "truncated:0.5:1", "html:1", "410")
_CALLBACK_FAULTS: Final = ("duplicate", "reordered")
_AT_ONCE: Final = 16
_PAUSE_S: Final = 1.0
"""Mean pause between two calls of the stream."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call to be made."""

    tenant: str
    duration_s: float
    seed: int
    fault: str | None
    callback_fault: str | None


def plan(seed: int, number: int) -> list[Call]:
    """Return the calls of a run that ends: the burst in the midst of the other tenants' calls."""
    random = Random(seed)  # noqa: S311 -- reproducible, not secret
    burst = int(number * _BURST_SHARE)
    names = [_BURST_TENANT] * burst + [random.choice(TENANTS[:-1]).id for _ in range(number - burst)]
    random.shuffle(names)
    return list(_calls(random, seed, names))


def burst(seed: int) -> list[Call]:
    """Return one tenant's calls that are all made at once."""
    return list(_calls(Random(-seed - 1), -seed - 1, [_BURST_TENANT] * BURST))  # noqa: S311 -- reproducible


def stream(seed: int) -> Iterator[Call]:
    """Yield calls of all six tenants without end."""
    random = Random(seed)  # noqa: S311 -- reproducible, not secret
    yield from _calls(random, seed, (random.choice(TENANTS).id for _ in count()))


def _calls(random: Random, seed: int, tenants: Iterable[str]) -> Iterator[Call]:
    for number, tenant in enumerate(tenants):
        faulty = random.random() < _FAULTY
        callback_faulty = random.random() < _FAULTY / 2
        yield Call(
            tenant=tenant,
            duration_s=round(random.uniform(1, 15), 1),
            seed=seed * 1_000_003 + number,
            fault=random.choice(_FAULTS) if faulty else None,
            callback_fault=random.choice(_CALLBACK_FAULTS) if callback_faulty else None,
        )


async def place_all(set_up: SetUp, calls: Iterable[Call]) -> None:
    """Make the calls as fast as it goes."""
    waiting = iter(calls)

    async def place_some() -> None:
        for call in waiting:
            await _place(set_up, call)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(place_some())


async def place_each(set_up: SetUp, calls: Iterator[Call]) -> None:
    """Make one call after the other, at the pace of people."""
    first = list(islice(calls, len(TENANTS)))  # the page is not to be empty at first
    await place_all(set_up, first)
    pace = Random(len(first))  # noqa: S311 -- nothing secret
    for call in calls:
        await asyncio.sleep(pace.expovariate(1 / _PAUSE_S))  # the callers' pace, not a worker's
        await _place(set_up, call)


async def _place(set_up: SetUp, call: Call) -> None:
    """Have the provider make a call and send its callbacks."""
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
