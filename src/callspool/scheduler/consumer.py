"""The side of the scheduler that workers hold: settle and claim in one call, wait without polling."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any, Final

from callspool.domain.errors import SchedulerUnavailable
from callspool.domain.job import Job, Lane, Lease, Settlement, Stop, Turn
from callspool.scheduler.connection import Functions, unavailable
from callspool.scheduler.heartbeat import Heartbeat

_LOOK_ANYWAY: Final = timedelta(seconds=5)
"""A wake-up can be lost with the worker that took it; the longest that its work then waits for another."""
_LEAVE_S: Final = 1.0
_LOOKS_PER_LEASE: Final = 4
"""Valkey takes half a lease time without a call for a jump of its clock."""
_CONFIRMS_PER_LEASE: Final = 3
_LANES: Final = {lane.value: lane for lane in Lane}


@dataclass(frozen=True, slots=True)
class _Request:
    id: str
    settled: tuple[Settlement, ...]
    room: int
    sent_at: float
    instead: str = ""
    """The id of one that was given up."""


class _Shard:
    """One shard's side of a worker."""

    def __init__(self, url: str, shard: str, worker_id: str, address: str, lease_s: float) -> None:
        # A lease is trusted no longer than a lease time after the layout was last confirmed.
        self._functions = Functions(url, shard, confirm_every_s=lease_s / _CONFIRMS_PER_LEASE, one_at_a_time=True)
        self._waiting = Functions(url, shard, timeout_s=_LOOK_ANYWAY.total_seconds() + 5)
        self._worker_id = worker_id
        self._address = address
        self._lease_s = lease_s
        self._look_anyway_s = min(_LOOK_ANYWAY.total_seconds(), lease_s / _LOOKS_PER_LEASE)
        self.heartbeat = Heartbeat(url, shard, worker_id, address, lease_s)
        self._unanswered: _Request | None = None
        self._owed: dict[str, Settlement] = {}
        """By token: what was handed over and is in no request that was answered."""
        self._is_closed = False

    @property
    def owes(self) -> bool:
        """Whether something that was handed over, or a request, is unanswered."""
        return self._unanswered is not None or bool(self._owed)

    async def turn(self, settled: Sequence[Settlement], room: int) -> Turn:
        """Settle and claim. A request whose reply was lost is sent again first, and has its effect once.

        What was handed over is kept until it was heard, so a caller to whom other shards answered need not know.
        """
        self._owed.update((one.token, one) for one in settled)
        before = await self._ask(self._again(self._unanswered)) if self._unanswered else Turn((), None)
        left = max(0, room - len(before.leases))
        request = _Request(secrets.token_hex(8), tuple(self._owed.values()), left, monotonic())
        try:
            now = await self._ask(request)
        except SchedulerUnavailable:
            if not before.leases:
                raise
            return before  # what is unanswered is sent again with the next turn, its settlements too
        return Turn(before.leases + now.leases, now.next_due_ms)

    def _again(self, request: _Request) -> _Request:
        """Return what is sent again. Leases that were asked for longer ago than they last would find nobody."""
        if monotonic() - request.sent_at < self._lease_s:
            return request
        return _Request(secrets.token_hex(8), request.settled, 0, monotonic(), request.instead or request.id)

    async def _ask(self, request: _Request) -> Turn:
        self._unanswered = request
        # One argument for all settlements, each with its fields in their order: to pack seven for each would
        # take longer than anything else here.
        settled = json.dumps(request.settled)
        answer = await self._functions.call(
            "turn",
            *(request.id, self._worker_id, self._address, int(self._lease_s * 1000), request.room, settled),
            request.instead,
        )
        reply = json.loads(answer)
        self._unanswered = None
        for one in request.settled:
            self._owed.pop(one.token, None)
        self.heartbeat.release(request.settled)
        trusted_from = min(request.sent_at, self._functions.confirmed_at)
        leases = self._leases(reply, trusted_from)
        if leases:
            self.heartbeat.hold(leases, trusted_from)
        return Turn(leases, None if reply[0] < 0 else int(reply[0]))

    def _leases(self, reply: list[Any], sent_at: float) -> tuple[Lease, ...]:
        # A reply that came only with a repetition may be as old as its leases.
        valid_ms = int((sent_at + self._lease_s - monotonic()) * 1000)
        if valid_ms <= 0:
            return ()
        return tuple(
            Lease(Job(job_id, pool, tenant, _LANES[lane]), token, valid_ms)
            for job_id, pool, tenant, lane, token in zip(*(reply[at::5] for at in range(1, 6)), strict=True)
        )

    async def wait(self, at_most: timedelta) -> bool:
        """Block on this worker's wake-up list."""
        # Valkey waits in steps of about 10 ms and takes 0 for ever.
        timeout_s = max(0.01, min(at_most.total_seconds(), self._look_anyway_s))
        key = self._functions.keys.wake(self._worker_id)
        with unavailable():
            reply = await self._waiting.client.execute_command("BLPOP", key, timeout_s)
            while reply is not None:  # one turn answers all the wake-ups that have piled up
                if reply[1] == b"cancel":
                    self.heartbeat.beat()
                more = await self._waiting.client.execute_command("LPOP", key)
                if more is None:
                    return True
                reply = (key, more)
        return False

    async def leave(self) -> None:
        """Leave wake-ups to others. Who cannot say so is believed gone after a minute."""
        with contextlib.suppress(SchedulerUnavailable, TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await self._functions.call("leave", self._worker_id)

    async def close(self) -> None:
        """Stop the heartbeats, be woken no more, and close the connections; again is fine."""
        if self._is_closed:
            return
        self._is_closed = True
        await asyncio.to_thread(self.heartbeat.close)
        await self.leave()
        await self._functions.close()
        await self._waiting.close()


class ValkeyConsumer:
    """`domain.ports.scheduler.Consumer` over all shards of a layout, in their order. Used from one task at a time."""

    def __init__(
        self, url: str, *, worker_id: str, lease: timedelta, shards: Sequence[str] = ("1.0",), address: str = ""
    ) -> None:
        """*address* is where this worker's spool is read; who looks for a running job is told it."""
        self._shards = [_Shard(url, shard, worker_id, address, lease.total_seconds()) for shard in shards]
        self._shard_of: dict[str, _Shard] = {}
        self._waiting: dict[_Shard, asyncio.Task[bool]] = {}
        self._first = 0

    def watch(self, stop: Callable[[Lease, Stop], None]) -> None:
        """Have *stop* called when work must end before its time."""
        for shard in self._shards:
            shard.heartbeat.watch(stop)

    async def turn(self, settled: Sequence[Settlement], room: int) -> Turn:
        """Settle and claim, one shard after the other; each time another is the first to be asked for jobs.

        Raises `SchedulerUnavailable` where a shard did not answer and none gave a lease. Call again with the same
        settlements: repeating those that were heard changes nothing.
        """
        if len(self._shards) == 1:
            return await self._shards[0].turn(settled, room)
        of_shard: dict[_Shard, list[Settlement]] = {}
        for one in settled:
            of_shard.setdefault(self._shard_of.get(one.token, self._shards[0]), []).append(one)
        self._first = (self._first + 1) % len(self._shards)
        leases: list[Lease] = []
        dues: list[int] = []
        failed: SchedulerUnavailable | None = None
        for shard in self._shards[self._first :] + self._shards[: self._first]:
            its = of_shard.get(shard, [])
            if not (its or shard.owes or room > len(leases)):
                continue
            try:
                turn = await shard.turn(its, room - len(leases))
            except SchedulerUnavailable as error:
                failed = error
                continue
            leases += turn.leases
            dues += [turn.next_due_ms] if turn.next_due_ms is not None else []
            self._shard_of.update((lease.token, shard) for lease in turn.leases)
        if failed and not leases:
            raise failed
        for one in settled:
            self._shard_of.pop(one.token, None)
        return Turn(tuple(leases), min(dues, default=None))

    async def wait(self, at_most: timedelta) -> bool:
        """Block until one shard has something."""
        if len(self._shards) == 1:
            return await self._shards[0].wait(at_most)
        for shard in self._shards:
            if shard not in self._waiting:
                self._waiting[shard] = asyncio.create_task(shard.wait(_LOOK_ANYWAY))
        done, _ = await asyncio.wait(
            self._waiting.values(), timeout=at_most.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
        # One that still waits goes on: a wake-up that it takes meanwhile is not lost.
        self._waiting = {shard: task for shard, task in self._waiting.items() if task not in done}
        came = [task.result() for task in done]
        return any(came)

    async def leave(self) -> None:
        """Leave wake-ups to others, in all shards."""
        await asyncio.gather(*(shard.leave() for shard in self._shards))

    async def close(self) -> None:
        """Stop the heartbeats and close the connections."""
        for task in self._waiting.values():
            task.cancel()
        if self._waiting:
            await asyncio.wait(self._waiting.values())
        await asyncio.gather(*(shard.close() for shard in self._shards))
