"""The side of the scheduler that may be held by whoever hands out work: it cannot claim."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import Final, TypeVar

from callspool.domain.job import Job, Names, Place, PoolLimits, PoolLoad, Submitted, TenantLimits, TenantLoad, Why
from callspool.scheduler.connection import Functions, shard_of
from callspool.scheduler.layout import join
from callspool.scheduler.names import kept, prune

_BATCH: Final = 500  # jobs in one call: a few milliseconds of the server's time
_NAMES: Final = 200  # tenants or pools in one call that looks at them

T = TypeVar("T")


class ValkeyProducer:
    """`domain.ports.scheduler.Producer` over all shards of a layout, in their order."""

    def __init__(self, *shards: Functions, dedup_window: timedelta = timedelta(seconds=120)) -> None:
        self._shards = shards
        self._dedup_ms = _ms(dedup_window)

    def _of(self, pool: str) -> Functions:
        return self._shards[shard_of(pool, len(self._shards))]

    async def submit(self, job: Job, *, delay: timedelta | None = None) -> Submitted:
        """Take the job, or join it to the one that is there; one that is running will run once more."""
        verdict, place = await self._submit(self._of(job.pool), [(job, delay)], again=True)
        return _submitted(verdict, place)

    async def submit_many(self, jobs: Sequence[tuple[Job, timedelta | None]]) -> int:
        """Take those that are not known; return how many that were."""
        of_shard: dict[Functions, list[tuple[Job, timedelta | None]]] = {}
        for one in jobs:
            of_shard.setdefault(self._of(one[0].pool), []).append(one)
        batches = iter(
            [(shard, its[at : at + _BATCH]) for shard, its in of_shard.items() for at in range(0, len(its), _BATCH)]
        )

        async def send() -> int:
            accepted = 0
            for shard, batch in batches:
                accepted += (await self._submit(shard, batch, again=False))[::2].count(b"accepted")
            return accepted

        # Two at a time: one is made ready while the server takes the other.
        return sum(await asyncio.gather(send(), send()))

    async def _submit(
        self, shard: Functions, jobs: Sequence[tuple[Job, timedelta | None]], *, again: bool
    ) -> list[bytes]:
        args: list[str | int] = [self._dedup_ms, int(again)]
        for job, delay in jobs:
            args += (job.id, job.pool, job.tenant, job.lane.value, max(0, _ms(delay)) if delay else 0)
        reply: list[bytes] = await shard.call("submit", *args)
        return reply

    async def promote(self, job: Job) -> Submitted:
        """Let it go before the bulk, now."""
        verdict, place = await self._of(job.pool).call("promote", job.id, job.pool, job.tenant)
        return _submitted(verdict, place)

    async def cancel(self, job_id: str) -> Place:
        """Forget it, or have its worker stop; return where it was."""
        for shard in self._shards:
            place = Place((await shard.call("cancel", job_id)).decode())
            if place is not Place.UNKNOWN:
                return place
        return Place.UNKNOWN

    async def place(self, job_id: str) -> Place:
        """Say where it is."""
        return (await self.why(job_id)).place

    async def why(self, job_id: str) -> Why:
        """Say what decides when it runs."""
        closed = False
        for shard in self._shards:
            place, *known = await shard.call("why", job_id)
            if len(known) > 1:
                return _why([place, *known])
            closed = closed or known == [b"1"]
        return Why(Place.UNKNOWN, closed=closed)

    async def locate(self, job_id: str) -> str | None:
        """Return the address of the worker that runs it."""
        for shard in self._shards:
            if address := await shard.call("locate", job_id):
                return str(address.decode())
        return None

    async def set_tenant(self, tenant: str, *, slots: int, weight: float, paused: bool) -> None:
        """Set a tenant's limits, in every shard."""
        for shard in self._shards:
            await shard.call("set_tenant", tenant, slots, weight, int(paused))

    async def set_pool(self, pool: str, *, limit: int, paused: bool) -> None:
        """Set an account's limits."""
        await self._of(pool).call("set_pool", pool, limit, int(paused))

    async def set_limits(self, pools: Sequence[PoolLimits], tenants: Sequence[TenantLimits]) -> None:
        """Set many: each pool's in its shard, tenants' in all."""
        for shard in self._shards:
            its = [one for one in pools if self._of(one.pool) is shard]
            for some in _in_parts(its):
                await shard.call("set_pool", *(f for one in some for f in (one.pool, one.limit, int(one.paused))))
            for those in _in_parts(tenants):
                fields = ((one.tenant, one.slots, one.weight, int(one.paused)) for one in those)
                await shard.call("set_tenant", *(field for its_fields in fields for field in its_fields))

    async def join(self, tenants: Sequence[str], *, alone: bool = False) -> None:
        """Begin to work with this number of shards. Raises `Misconfigured` where another one is in force.

        *tenants* are all that may have jobs; *alone*: the caller knows that no other process works on this Valkey.
        """
        await join(self._shards, tenants, alone=alone)

    async def layout(self) -> int:
        """Return the number of shards in force; 0: none is written."""
        return (await self._shards[0].layout()).shards

    async def names(self) -> Names:
        """Return the pools and tenants whose limits are kept, of all shards."""
        return await kept(self._shards)

    async def forget(self, gone: Names, staying: Names) -> int:
        """Forget those that are gone, where they have no job left."""
        loads = await self.load(sorted(gone.tenants))
        busy = {one.tenant for one in loads if one.running or one.waiting or one.deferred}
        # A tenant that is a pool too has jobs there that are put off, which the pool does not know.
        pools = await self.pool_loads(sorted(gone.pools - busy), sorted(gone.tenants | staying.tenants))
        idle = [one.pool for one in pools if not (one.running or one.waiting)]
        tenants, forgotten = sorted(gone.tenants - busy), 0
        for shard in self._shards:
            its = [pool for pool in idle if self._of(pool) is shard]
            forgotten += await prune(shard, its, tenants, staying.tenants)
        return forgotten

    async def open(self) -> None:
        """End the wait of a new lifetime. Only for one who knows that no worker can hold a lease."""
        for shard in self._shards:
            await shard.call("open")

    async def drain(self, tenants: Sequence[str]) -> int:
        """Take and grant nothing more, forget what waits; return how many jobs still run.

        Before the number of shards changes: the store knows all that is forgotten. `reopen` undoes it.
        """
        running = 0
        for shard in self._shards:
            running += await shard.call("close")
            for some in _in_parts(tenants) or [()]:
                while await shard.call("forget", _BATCH, *some):
                    pass
        return running

    async def reopen(self) -> None:
        """Take and grant jobs again after `drain`. Workers may live, so a wait of a new lifetime goes on."""
        for shard in self._shards:
            await shard.call("reopen")

    async def epoch(self) -> int:
        """Return a number that changes when a shard lost, or may have lost, data, and when `reopen` opened it."""
        return sum(await asyncio.gather(*(shard.call("epoch") for shard in self._shards)))

    async def load(self, tenants: Sequence[str]) -> Sequence[TenantLoad]:
        """Return the tenants' figures, of all shards together."""
        return [load for some in _in_parts(tenants) for load in await self._load(some)]

    async def _load(self, tenants: Sequence[str]) -> list[TenantLoad]:
        replies = await asyncio.gather(*(shard.call("load", *tenants) for shard in self._shards))
        return [
            _load(tenant, [reply[at : at + 5] for reply in replies])
            for at, tenant in zip(range(0, 5 * len(tenants), 5), tenants, strict=True)
        ]

    async def pool_loads(self, pools: Sequence[str], tenants: Sequence[str]) -> Sequence[PoolLoad]:
        """Return the accounts' figures, each from its own shard, in the order asked."""
        of_shard: dict[Functions, list[str]] = {}
        for pool in pools:
            of_shard.setdefault(self._of(pool), []).append(pool)
        found = await asyncio.gather(*(_pool_loads(shard, its, tenants) for shard, its in of_shard.items()))
        loads = {load.pool: load for its in found for load in its}
        return [loads[pool] for pool in pools]

    async def ping(self) -> timedelta:
        """Return the round-trip time."""
        await self._shards[0].confirm()
        before = monotonic()
        for shard in self._shards:
            await shard.has(shard.keys.epoch)
        return timedelta(seconds=(monotonic() - before) / len(self._shards))


def _in_parts(names: Sequence[T]) -> list[Sequence[T]]:
    return [names[at : at + _NAMES] for at in range(0, len(names), _NAMES)]


async def _pool_loads(shard: Functions, pools: Sequence[str], tenants: Sequence[str]) -> list[PoolLoad]:
    loads = []
    for some in _in_parts(pools):
        # What waits is looked at for some tenants at a time; the other figures are the last call's.
        waiting, oldest = [0] * len(some), [0] * len(some)
        for those in _in_parts(tenants) or [()]:
            reply = await shard.call("pool_loads", len(some), *some, *those)
            figures = [_pool_load(pool, reply[11 * at : 11 * at + 11]) for at, pool in enumerate(some)]
            waiting = [count + one.waiting for count, one in zip(waiting, figures, strict=True)]
            oldest = [max(wait, one.oldest_wait_ms) for wait, one in zip(oldest, figures, strict=True)]
        loads += [
            replace(load, waiting=count, oldest_wait_ms=wait)
            for load, count, wait in zip(figures, waiting, oldest, strict=True)
        ]
    return loads


def _load(tenant: str, figures: Sequence[Sequence[int]]) -> TenantLoad:
    slots, running, waiting, deferred, oldest = zip(*figures, strict=True)
    return TenantLoad(tenant, max(slots), sum(running), sum(waiting), sum(deferred), max(oldest))


def _pool_load(pool: str, figures: Sequence[int | bytes]) -> PoolLoad:
    limit, set_limit, paused, until, cause, probing, running, waiting, retries, now, oldest = figures
    return PoolLoad(
        pool=pool,
        limit=int(limit),
        set_limit=int(set_limit),
        paused=int(paused) == 1,
        paused_until_ms=int(until),
        cause=bytes(cause).decode(),
        probing=int(probing) == 1,
        running=int(running),
        waiting=int(waiting),
        oldest_wait_ms=int(oldest),
        retries=float(retries),
        now_ms=int(now),
    )


def _why(reply: list[bytes | int]) -> Why:
    place, pool, tenant, ahead, slots, held, kept_for, tenant_paused, limit, set_limit, pool_held, *more = (
        field.decode() if isinstance(field, bytes) else str(field) for field in reply
    )
    pool_paused, until, cause, probing, due, worker, opens, closed, now = more
    return Why(
        place=Place(place),
        pool=pool,
        tenant=tenant,
        ahead=int(ahead),
        slots=_known(slots),
        slots_held=int(held),
        kept_for=kept_for,
        tenant_paused=tenant_paused == "1",
        limit=int(limit),
        set_limit=_known(set_limit),
        pool_held=int(pool_held),
        pool_paused=pool_paused == "1",
        paused_until_ms=int(until),
        cause=cause,
        probing=probing == "1",
        due_ms=int(due),
        worker=worker,
        opens_ms=int(opens),
        closed=closed == "1",
        now_ms=int(now),
    )


def _known(limit: str) -> int | None:
    return int(limit) if int(limit) >= 0 else None


def _ms(time: timedelta) -> int:
    # Upwards: a job that comes a moment before its time would find its recording not due.
    return -(-time // timedelta(milliseconds=1))


def _submitted(verdict: bytes, place: bytes) -> Submitted:
    return Submitted(verdict == b"accepted", Place(place.decode()))
