"""How fast does the reconciler fill an empty Valkey from the store?

After a loss of Valkey's data nothing is fetched that was not put back, so this bounds how long a loss is felt. The
store is SQLite, the rows are queued recordings of 20 tenants.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.experiment import Bar, Context, Experiment
from benchmarks.machine import Noise
from benchmarks.result import OURS, Figure, figure
from benchmarks.servers import valkey
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.tenant import Account, Tenant
from callspool.settings import Settings
from callspool.telemetry import configure_logging
from callspool.wiring import Parts, make_reconciler, open_parts

_NAME: Final = "refill.jobs"
_JOBS, _QUICK_JOBS = 20_000, 5_000
_QUICK_NEEDED_S: Final = 6.0
_TENANTS: Final = 20
_WRITERS: Final = 64


async def _fill(parts: Parts, jobs: int) -> None:
    for number in range(_TENANTS):
        await parts.store.add_tenant(Tenant(TenantId(f"tenant-{number}"), "Tenant"))
    await parts.store.add_account(
        Account(AccountId("main"), "twilio", TenantId("tenant-0"), "AC" + "0" * 32, "the-token")
    )

    async def write(first: int) -> None:
        for number in range(first, jobs, _WRITERS):
            tenant = TenantId(f"tenant-{number % _TENANTS}")
            sid = f"RE{number:032x}"
            await parts.store.record(
                Notice(AccountId("main"), tenant, sid, None, ProviderStatus.COMPLETED, 30.0), actor="benchmark"
            )

    await asyncio.gather(*(write(first) for first in range(_WRITERS)))


async def _refill(folder: Path, url: str, jobs: int) -> float:
    settings = Settings.read({}, data=folder, valkey_url=url, log_level="error")
    configure_logging(level=settings.log_level, form="json")  # what is printed here are figures
    async with open_parts(settings) as parts:
        await _fill(parts, jobs)
        reconciler = make_reconciler(parts)
        await reconciler.push_limits()
        begun = time.perf_counter()
        found = await reconciler.resubmit()
        took = time.perf_counter() - begun
    if found != jobs:
        raise RuntimeError(f"{found} of {jobs} jobs were put back")
    return jobs / took


def _measure(context: Context) -> list[Figure]:
    if OURS not in {one.name for one in context.subjects(())}:
        return []
    noise, rates = Noise(), list[float]()
    if context.left_s() >= _QUICK_NEEDED_S:
        jobs = _QUICK_JOBS if context.options.quick else _JOBS
        for _ in range(1 if context.options.quick else context.options.runs or 3):
            context.tell(f"refill: {jobs:,} jobs")
            with tempfile.TemporaryDirectory() as folder, valkey() as server, noise.watched((server.pid,)):
                rates.append(asyncio.run(_refill(Path(folder), server.url, jobs)))
    return _figures(rates, noise)


def _figures(rates: Sequence[float], noise: Noise) -> list[Figure]:
    found = figure(_NAME, OURS, rates, "jobs/s", "" if rates else "no time was left for it in this quick run")
    return [replace(Bar("at least 5,000 jobs/s", 5000, upper=False).judge(found, noise), noise=str(noise))]


REFILL: Final = Experiment("refill", {_NAME: "refill of an empty Valkey from the store"}, _measure)
