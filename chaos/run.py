"""One seed: load and blows for the given time, then heal, drain, try the healed system, and judge."""

import asyncio
import hashlib
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import httpx

from callspool.domain.backfill import UNDER_WAY
from callspool.domain.ids import AccountId
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.recording import Recording, State
from callspool.simulator import Recording as Made
from callspool.simulator import highest_concurrency
from chaos.checks import judge, nothing_stays, unfinished
from chaos.evidence import Evidence, Probe, Residue, Stored
from chaos.nemesis import Nemesis
from chaos.people import People
from chaos.plan import LEASE_S, TENANTS, Plan
from chaos.residue import look
from chaos.system import LIMITS, SIDS, System, system

_DRAIN_S: Final = 180.0
_LOOK_S: Final = 0.1
_BURST: Final = 12
_EACH: Final = 8
_SETTLE_S: Final = 10.0
_CLEAN: Final = {"duration_s": 1.0, "faults": (), "callback_faults": ()}
_ONE_SECOND: Final = 32_000.0
"""Bytes a second at which a clean call's download takes so long."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a seed showed."""

    plan: Plan
    recordings: int
    ready: int
    broken: dict[str, list[str]]
    logs: Path | None
    """Kept where something broke."""

    @property
    def holds(self) -> bool:
        """Whether every invariant held."""
        return not any(self.broken.values())

    def as_json(self) -> dict[str, Any]:
        """Return it for a script: each invariant's name with ``held``, or what broke it."""
        return {
            "seed": self.plan.seed,
            "seconds": self.plan.seconds,
            "database": self.plan.database,
            "vault": self.plan.vault,
            "actions": self.plan.actions,
            "recordings": self.recordings,
            "ready": self.ready,
            **{name: "held" if not found else "; ".join(found[:5]) for name, found in self.broken.items()},
            **({"logs": str(self.logs)} if self.logs else {}),
        }


async def run(plan: Plan) -> Result:
    """Run a plan. What it left is removed if all held."""
    folder = Path(tempfile.mkdtemp(prefix=f"callspool-chaos-{plan.seed}-"))
    async with system(plan, folder) as running:
        evidence, dealt = await _go(running, plan)
    broken = judge(evidence)
    held = not any(broken.values())
    if held:
        shutil.rmtree(folder)
    else:
        (folder / "blows.txt").write_text("\n".join(dealt) + "\n", encoding="utf-8")
        (folder / "provider.log").write_text("\n".join(map(str, evidence.log)) + "\n", encoding="utf-8")
    ready = sum(one.state is State.READY for one in evidence.recordings)
    return Result(plan, len(evidence.recordings), ready, broken, None if held else folder)


async def _go(running: System, plan: Plan) -> tuple[Evidence, Sequence[str]]:
    people, nemesis = People(running), Nemesis(running)
    wall_minus_monotonic = time.time() - time.monotonic()
    today = f"{datetime.now(UTC):%Y-%m-%d}T00:00:00Z"
    before = await look(running)
    await _at_their_times(people, nemesis, plan, today)
    await running.heal()
    for tenant, slots in TENANTS.items():
        await people.set_limit(tenant, slots)
    listing = await _listed(running, await people.ask_for_list(today))
    # Where something hangs there is nothing more to be tried: the checks name it.
    probe = await _probe(running) if await _drained(running) else None
    await people.peek_at_all()
    recordings = await _all(running)
    store = running.parts.store
    evidence = Evidence(
        log=running.simulator.log.entries,
        acknowledged=frozenset(
            one.recording_sid
            for one in running.simulator.deliveries
            if one.event == "completed" and (one.status or 0) // 100 == 2
        ),
        recordings=recordings,
        histories={one.id: await store.history(None, one.id) for one in recordings},
        limits=people.limits,
        account_limits={SIDS[name]: limit for name, limit in LIMITS.items()},
        freezes=nemesis.freezes,
        worker_pids=frozenset(running.worker_pids),
        wall_minus_monotonic=wall_minus_monotonic,
        lease_s=LEASE_S,
        stored=[await _stored(running, one) for one in recordings if one.state is State.READY],
        heard=people.heard,
        peeks=people.peeks,
        running={load.tenant: load.running for load in await running.parts.producer.load(list(TENANTS))},
        probe=probe,
        emptied=nemesis.emptied,
        blows=nemesis.blows,
        provided=frozenset(
            one.sid for one in running.simulator.recordings.values() if one.account_sid == SIDS["alone"]
        ),
        listing=listing,
        days=await store.completeness(AccountId("alone"), date.fromisoformat(today[:10]), date.max),
        before=before,
        after=await _settled(running, before),
        fallen=running.fallen,
    )
    return evidence, nemesis.dealt


async def _at_their_times(people: People, nemesis: Nemesis, plan: Plan, today: str) -> None:
    """Do everything when the plan says, beside each other, and wait for the end of it all."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def at(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        await asyncio.sleep(max(0.0, start + seconds - loop.time()))  # the plan's own pace
        await work()

    async with asyncio.TaskGroup() as group:
        for call in plan.calls:
            group.create_task(at(call.at_s, lambda call=call: people.call(call)))  # type: ignore[misc]
        for deed in plan.deeds:
            group.create_task(at(deed.at_s, lambda deed=deed: people.do(deed)))  # type: ignore[misc]
        group.create_task(at(plan.seconds / 2, lambda: people.ask_for_list(today)))
        for blow in plan.blows:
            group.create_task(at(blow.at_s, lambda blow=blow: nemesis.deal(blow)))  # type: ignore[misc]


async def _drained(running: System) -> bool:
    """Wait until nothing is on its way and no slot is taken; say whether it came to that in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _DRAIN_S
    while loop.time() < end:
        loads = await running.parts.producer.load(list(TENANTS))
        if not unfinished(await _all(running)) and not any(load.running for load in loads):
            return True
        await asyncio.sleep(_LOOK_S)
    return False


async def _listed(running: System, backfill_id: str | None) -> str:
    """Wait until an account was listed to the end; return how that went."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _DRAIN_S
    while backfill_id is not None and loop.time() < end:
        backfill = await running.parts.store.backfill(backfill_id)
        if backfill.state not in UNDER_WAY:
            return backfill.error or backfill.state
        await asyncio.sleep(_LOOK_S)
    return "it did not end" if backfill_id else "it could not be asked for"


async def _settled(running: System, before: Residue) -> Residue:
    """Look at what is held until it is as little as before, or for so long that it will not be."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _SETTLE_S
    while True:
        now = await look(running)
        left = list(nothing_stays(Evidence(before=before, after=now)))
        if not left or loop.time() > end:
            return now
        await asyncio.sleep(_LOOK_S)


async def _probe(running: System) -> Probe:
    """Give every tenant more than its slots, then one a burst on an account for two and the others one call each."""
    before = len(running.simulator.log.entries)
    many = [tenant for tenant, slots in TENANTS.items() for _ in range(2 * slots)]
    await _announce(running, "calm", many, _ONE_SECOND / 3)  # so long that a busy machine starts them beside each other
    await _drained(running)
    calm = [entry for entry in running.simulator.log.entries[before:] if entry.account_sid == SIDS["calm"]]
    big, *others = TENANTS
    await _announce(running, "fair", [big] * _BURST, 2 * _ONE_SECOND)
    await _announce(running, "fair", others, 2 * _ONE_SECOND)
    await _drained(running)
    order = _order(running)
    await _announce(running, "fair", [tenant for tenant in TENANTS for _ in range(_EACH)], 4 * _ONE_SECOND)
    await _drained(running)
    # The last quarter is left out: in it some have nothing left to wait for.
    equals = _order(running)[len(order) : len(order) + _EACH * len(TENANTS) * 3 // 4]
    return Probe(dict(TENANTS), highest_concurrency(calm, "tag"), order, equals)


def _order(running: System) -> list[str]:
    """Return whose downloads began on the account for two, in their order."""
    there = [entry for entry in running.simulator.log.entries if entry.account_sid == SIDS["fair"]]
    return [entry.tag for entry in sorted(there, key=lambda entry: entry.start) if entry.is_download]


async def _announce(running: System, account: str, tenants: Sequence[str], rate: float) -> None:
    made: list[tuple[str, Made]] = [
        (tenant, running.simulator.add_recording(account_sid=SIDS[account], tag=tenant, rate=rate, **_CLEAN))  # type: ignore[arg-type]
        for tenant in tenants
    ]
    async with asyncio.TaskGroup() as group:
        for tenant, one in made:
            group.create_task(running.simulator.announce(one, running.webhook(tenant, account)))


async def _all(running: System) -> list[Recording]:
    found: list[Recording] = []
    cursor = None
    while True:
        page = await running.parts.store.list(RecordingFilter(), cursor=cursor, limit=200)
        found += page.recordings
        if (cursor := page.next_cursor) is None:
            return found


async def _stored(running: System, one: Recording) -> Stored:
    served = hashlib.sha256()
    try:
        key = {"Authorization": f"Bearer {running.keys['']}"}
        async with running.http.stream("GET", f"/api/recordings/{one.id}/audio", headers=key) as answer:
            async for block in answer.aiter_raw():
                served.update(block)
    except httpx.HTTPError as error:
        served.update(str(error).encode())  # what cannot be had whole is not what was kept
    made = running.simulator.recordings[one.provider_recording_id]
    kept = one.kept.sha256 if one.kept else ""
    return Stored(made.sid, kept, served.hexdigest(), await running.simulator.sha256(made))
