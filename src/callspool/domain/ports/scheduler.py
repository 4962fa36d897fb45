"""The ports of the scheduler: who submits, who works, who tells what happens."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Protocol

from callspool.domain.job import (
    Job,
    Lease,
    Names,
    Place,
    PoolLimits,
    PoolLoad,
    Settlement,
    Stop,
    Submitted,
    TenantLimits,
    TenantLoad,
    Turn,
    Why,
)


class Producer(Protocol):
    """The side of the scheduler that the API may hold: it cannot claim.

    Every method raises `SchedulerUnavailable` where Valkey does not answer.
    """

    async def submit(self, job: Job, *, delay: timedelta | None = None) -> Submitted:
        """Put a job that became due in the store on its tenant's backlog, or join it to the one that is there.

        If the job is still running (its end is not settled yet) it runs once more after that: a retry is
        never lost between the store's commit and the settle. One that waits as bulk and is interactive now goes to
        the end of that lane; never the other way round.
        """
        ...

    async def submit_many(self, jobs: Sequence[tuple[Job, timedelta | None]]) -> int:
        """Submit a bounded batch; return how many were not known before. For the reconciler.

        As with `submit`, but one that is running runs no more for it.
        """
        ...

    async def promote(self, job: Job) -> Submitted:
        """Move a waiting or deferred job to the interactive lane, now; submit it there if unknown.

        If the job is still running it runs once more after that, as with `submit`: a retry is never lost between
        the store's commit and the settle.
        """
        ...

    async def cancel(self, job_id: str) -> Place:
        """Forget a job, or tell the worker that runs it to stop; return where it was."""
        ...

    async def place(self, job_id: str) -> Place:
        """Say where a job is."""
        ...

    async def why(self, job_id: str) -> Why:
        """Say what decides when a job runs."""
        ...

    async def locate(self, job_id: str) -> str | None:
        """Return the address of the worker that runs the job now, as its lease has it; None: it does not run."""
        ...

    async def set_tenant(self, tenant: str, *, slots: int, weight: float, paused: bool) -> None:
        """Set a tenant's limits; they take effect on the next decision."""
        ...

    async def set_pool(self, pool: str, *, limit: int, paused: bool) -> None:
        """Set an account's limit; lifting a pause also ends one that a provider's answer caused."""
        ...

    async def set_limits(self, pools: Sequence[PoolLimits], tenants: Sequence[TenantLimits]) -> None:
        """Set many in bounded batches. For the reconciler."""
        ...

    async def names(self) -> Names:
        """Return the pools and tenants whose limits it keeps."""
        ...

    async def forget(self, gone: Names, staying: Names) -> int:
        """Forget the limits of those that are *gone* and have no job left; return how many.

        Those of the others are forgotten with a later call, when their jobs have come to an end.
        """
        ...

    async def epoch(self) -> int:
        """Return a number that changes when Valkey has lost its data, or a drain was undone.

        Then limits and jobs are put in again.
        """
        ...

    async def load(self, tenants: Sequence[str]) -> Sequence[TenantLoad]:
        """Return the figures of the given tenants."""
        ...

    async def pool_loads(self, pools: Sequence[str], tenants: Sequence[str]) -> Sequence[PoolLoad]:
        """Return the figures of the given accounts; what waits, and for how long, is that of the given tenants."""
        ...

    async def ping(self) -> timedelta:
        """Return the round-trip time."""
        ...


class Consumer(Protocol):
    """The side that workers hold. Never imported by the API."""

    async def turn(self, settled: Sequence[Settlement], room: int) -> Turn:
        """Settle what ended and claim what there is room for, in one atomic step.

        Repeated by itself after a lost reply, with the same effect once. From here on the leases are kept
        alive, beside the event loop, until a later turn settles them. What was handed to a turn that returned
        is settled with a later one at the latest; to one that raised it is to be handed again.
        """
        ...

    def watch(self, stop: Callable[[Lease, Stop], None]) -> None:
        """Have ``stop(lease, why)`` called in the event loop, at most once a lease, when its work must end.

        The job may be leased again by then, by this worker too: a later lease is not meant.

        LOST: the lease may be another's by now: stop at once, by this worker's own monotonic clock.
        CANCELLED: a person asked for it. The lease still has to be settled.
        """
        ...

    async def wait(self, at_most: timedelta) -> bool:
        """Block until there may be work, or for *at_most*; say whether something came."""
        ...

    async def leave(self) -> None:
        """Be woken no more: what comes now is for others. Never raises; `turn` still settles."""
        ...

    async def close(self) -> None:
        """Stop the heartbeats; leases still held then run out by themselves."""
        ...


class Bulletin(Protocol):
    """Tells other processes that the store has new events. A hint: it may be lost, the store is asked anyway."""

    async def ring(self) -> None:
        """Say that something was committed. Never raises: a hint that is lost costs only time."""
        ...

    def listen(self) -> AsyncIterator[None]:
        """Yield once for each burst of rings, and at least every few seconds."""
        ...
