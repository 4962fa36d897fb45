"""The side of the scheduler that may be held by whoever hands out work: it cannot claim."""

from collections.abc import Sequence
from datetime import timedelta
from time import monotonic

from callspool.domain.job import Job, Place, Submitted, TenantLoad
from callspool.scheduler.connection import Functions, unavailable

_BATCH = 500  # jobs in one call: a few milliseconds of the server's time
_NOW = timedelta()


class ValkeyProducer:
    """`domain.ports.Producer` over one shard."""

    def __init__(self, functions: Functions, *, dedup_window: timedelta = timedelta(seconds=120)) -> None:
        self._functions = functions
        self._dedup_ms = _ms(dedup_window)

    async def submit(self, job: Job, *, delay: timedelta | None = None) -> Submitted:
        """Take the job, or join it to the one that is there; one that is running will run once more."""
        verdict, place = await self._submit([(job, delay)], again=True)
        return _submitted(verdict, place)

    async def submit_many(self, jobs: Sequence[tuple[Job, timedelta | None]]) -> int:
        """Take those that are not known; return how many that were."""
        accepted = 0
        for start in range(0, len(jobs), _BATCH):
            reply = await self._submit(jobs[start : start + _BATCH], again=False)
            accepted += sum(verdict == b"accepted" for verdict in reply[::2])
        return accepted

    async def _submit(self, jobs: Sequence[tuple[Job, timedelta | None]], *, again: bool) -> list[bytes]:
        args: list[str | int] = [self._dedup_ms, int(again)]
        for job, delay in jobs:
            args += [job.id, job.pool, job.tenant, job.lane.value, max(0, _ms(delay or _NOW))]
        reply: list[bytes] = await self._functions.call("submit", *args)
        return reply

    async def promote(self, job: Job) -> Submitted:
        """Let it go before the bulk, now."""
        verdict, place = await self._functions.call("promote", job.id, job.pool, job.tenant)
        return _submitted(verdict, place)

    async def cancel(self, job_id: str) -> Place:
        """Forget it, or have its worker stop; return where it was."""
        return Place((await self._functions.call("cancel", job_id)).decode())

    async def place(self, job_id: str) -> Place:
        """Say where it is."""
        return Place((await self._functions.call("place", job_id)).decode())

    async def set_tenant(self, tenant: str, *, slots: int, weight: float, paused: bool) -> None:
        """Set a tenant's limits."""
        await self._functions.call("set_tenant", tenant, slots, weight, int(paused))

    async def set_pool(self, pool: str, *, limit: int, paused: bool) -> None:
        """Set an account's limits."""
        await self._functions.call("set_pool", pool, limit, int(paused))

    async def open(self) -> None:
        """End the wait of a new lifetime. Only for one who knows that no worker can hold a lease."""
        await self._functions.call("open")

    async def epoch(self) -> int:
        """Return the number of this lifetime of Valkey's data."""
        return int(await self._functions.call("epoch"))

    async def load(self, tenants: Sequence[str]) -> Sequence[TenantLoad]:
        """Return the tenants' figures."""
        if not tenants:
            return ()
        figures: list[int] = await self._functions.call("load", *tenants)
        return tuple(
            TenantLoad(tenant, *figures[start : start + 5])
            for tenant, start in zip(tenants, range(0, len(figures), 5), strict=True)
        )

    async def ping(self) -> timedelta:
        """Return the round-trip time."""
        before = monotonic()
        with unavailable():
            await self._functions.client.ping()
        return timedelta(seconds=monotonic() - before)


def _ms(time: timedelta) -> int:
    # Upwards: a job that comes a moment before its time would find its recording not due.
    return -(-time // timedelta(milliseconds=1))


def _submitted(verdict: bytes, place: bytes) -> Submitted:
    return Submitted(verdict == b"accepted", Place(place.decode()))
