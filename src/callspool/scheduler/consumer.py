"""The side of the scheduler that workers hold: settle and claim in one call, wait without polling."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any

import valkey

from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.job import Job, Lane, Lease, Settlement, Stop, Turn
from callspool.scheduler.connection import Functions
from callspool.scheduler.heartbeat import Heartbeat

_LOOK_ANYWAY = timedelta(seconds=5)
"""A wake-up can be lost with the worker that took it; the longest that its work then waits for another."""


@dataclass(frozen=True, slots=True)
class _Request:
    id: str
    settled: tuple[Settlement, ...]
    room: int
    sent_at: float


class ValkeyConsumer:
    """`domain.ports.Consumer` over one shard. Used from one task at a time."""

    def __init__(self, url: str, *, worker_id: str, lease: timedelta, shard: str = "0") -> None:
        self._functions = Functions(url, shard)
        self._waiting = Functions(url, shard, timeout_s=_LOOK_ANYWAY.total_seconds() + 5)
        self._worker_id = worker_id
        self._lease_s = lease.total_seconds()
        self._heartbeat = Heartbeat(url, shard, worker_id, self._lease_s)
        self._unanswered: _Request | None = None

    def watch(self, stop: Callable[[str, Stop], None]) -> None:
        """Have *stop* called when work must end before its time."""
        self._heartbeat.watch(stop)

    async def turn(self, settled: Sequence[Settlement], room: int) -> Turn:
        """Settle and claim. A request whose reply was lost is sent again first, and has its effect once."""
        before = await self._ask(self._unanswered) if self._unanswered else Turn((), None)
        left = max(0, room - len(before.leases))
        request = _Request(secrets.token_hex(8), tuple(settled), left, monotonic())
        try:
            now = await self._ask(request)
        except SchedulerUnavailable:
            if not before.leases:
                raise
            return before  # what is unanswered is sent again with the next turn, its settlements too
        return Turn(before.leases + now.leases, now.next_due_ms)

    async def _ask(self, request: _Request) -> Turn:
        self._unanswered = request
        args: list[str | int] = [
            *(request.id, self._worker_id, int(self._lease_s * 1000), request.room, len(request.settled))
        ]
        for one in request.settled:
            args += [one.job_id, one.token, one.verdict.value, one.delay_ms, one.pause_pool_ms]
        reply = await self._functions.call("turn", *args)
        self._unanswered = None
        for one in request.settled:
            self._heartbeat.release(one.job_id, one.token)
        leases = self._leases(reply, request.sent_at)
        for lease in leases:
            self._heartbeat.hold(lease, request.sent_at)
        return Turn(leases, None if reply[0] < 0 else int(reply[0]))

    def _leases(self, reply: list[Any], sent_at: float) -> tuple[Lease, ...]:
        # A reply that came only with a repetition may be as old as its leases.
        valid_ms = int((sent_at + self._lease_s - monotonic()) * 1000)
        if valid_ms <= 0:
            return ()
        fields = [field.decode() for field in reply[1:]]
        return tuple(
            Lease(Job(job_id, pool, tenant, Lane(lane)), token, valid_ms)
            for job_id, pool, tenant, lane, token in zip(*(fields[at::5] for at in range(5)), strict=True)
        )

    async def wait(self, at_most: timedelta) -> bool:
        """Block on this worker's wake-up list."""
        # Valkey waits in steps of about 10 ms and takes 0 for ever.
        timeout_s = max(0.01, min(at_most, _LOOK_ANYWAY).total_seconds())
        key = self._functions.keys.wake(self._worker_id)
        try:
            reply = await self._waiting.client.blpop([key], timeout_s)
            while reply is not None:  # one turn answers all the wake-ups that have piled up
                if reply[1] == b"cancel":
                    self._heartbeat.beat()
                more = await self._waiting.client.lpop(key)
                if more is None:
                    return True
                reply = (key, more)
        except (valkey.ValkeyError, OSError) as error:
            raise SchedulerUnavailable(f"Valkey does not answer: {error}") from error
        return False

    async def close(self) -> None:
        """Stop the heartbeats and close the connections."""
        await asyncio.to_thread(self._heartbeat.close)
        await self._functions.close()
        await self._waiting.close()
