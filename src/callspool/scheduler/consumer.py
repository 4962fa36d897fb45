"""The side of the scheduler that workers hold: settle and claim in one call, wait without polling."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from time import monotonic
from typing import Any, Final, NamedTuple

from callspool.domain.errors import OtherLayout, SchedulerUnavailable
from callspool.domain.job import Job, Lane, Lease, Settlement, Stop, Turn, Verdict
from callspool.scheduler.connection import Functions, unavailable
from callspool.scheduler.heartbeat import Heartbeat

_LOOK_ANYWAY: Final = timedelta(seconds=5)
"""A wake-up can be lost with the worker that took it; the longest that its work then waits for another."""
_LEAVE_S: Final = 1.0
_LOOKS_PER_LEASE: Final = 4
"""Valkey takes half a lease time without a call for a jump of its clock."""
_CONFIRMS_PER_LEASE: Final = 3
_PATIENCE_S: Final = 1.0
"""How long a turn waits for a shard. One that takes longer goes on by itself; its answer comes with a later turn."""
_GLANCE_S: Final = 0.05
"""How long it waits for one that was silent before, or where another took too long."""
_AGAIN_MS: Final = 500
"""How soon to ask again where a shard has not answered."""
_to_json: Final = json.JSONEncoder(check_circular=False).encode
_LANES: Final = {lane.value: lane for lane in Lane}


class _Request(NamedTuple):
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
        self._functions = Functions(url, shard, confirm_every_s=lease_s / _CONFIRMS_PER_LEASE)
        self._waiting = Functions(url, shard, timeout_s=_LOOK_ANYWAY.total_seconds() + 5)
        self._worker_id = worker_id
        self._address = address
        self._lease_s = lease_s
        self._look_anyway_s = min(_LOOK_ANYWAY.total_seconds(), lease_s / _LOOKS_PER_LEASE)
        self.heartbeat = Heartbeat(url, shard, worker_id, address, lease_s)
        self._unanswered: _Request | None = None
        self._owed: dict[str, Settlement] = {}
        """By token: what was handed over and is in no request that was answered."""
        self._requests, self._random = count(), secrets.token_hex(8)
        self._is_closed = False

    @property
    def is_silent(self) -> bool:
        """Whether its last request is unanswered."""
        return self._unanswered is not None

    @property
    def owes(self) -> bool:
        """Whether something that was handed over, or a request, is unanswered."""
        return self.is_silent or bool(self._owed)

    def owe(self, settled: Iterable[Settlement]) -> None:
        """Keep settlements until they were heard. Those that are there already change nothing."""
        for one in settled:
            self._owed[one.token] = one

    def fit(self, leases: Sequence[Lease], room: int) -> Sequence[Lease]:
        """Return as many leases as there is room for. The others, whose room was given away, go back to their lines."""
        room = max(0, room)
        self.owe(Settlement(lease.job.id, lease.token, Verdict.DEFER) for lease in leases[room:])
        return leases[:room]

    async def turn(self, room: int) -> Turn:
        """Settle what is owed, and claim. A request whose reply was lost goes again first, and has its effect once."""
        before = await self._ask(self._again(self._unanswered)) if self._unanswered else Turn((), None)
        left = max(0, room - len(before.leases))
        request = _Request(self._next_id(), tuple(self._owed.values()), left, monotonic())
        try:
            now = await self._ask(request)
        except SchedulerUnavailable as error:
            if not before.leases:
                raise
            # What is unanswered is sent again with the next turn, its settlements too.
            return before._replace(unheard=str(error))
        return Turn(before.leases + now.leases, now.next_due_ms)

    def _next_id(self) -> str:
        """Return an id that no request had: tokens are made of it."""
        return f"{self._random}{next(self._requests):x}"

    def _again(self, request: _Request) -> _Request:
        """Return what is sent again. Leases that were asked for longer ago than they last would find nobody."""
        if monotonic() - request.sent_at < self._lease_s:
            return request
        return _Request(self._next_id(), request.settled, 0, monotonic(), request.instead or request.id)

    async def _ask(self, request: _Request) -> Turn:
        self._unanswered = request
        # One argument for all settlements, each with its fields in their order: to pack seven for each would
        # take longer than anything else here.
        settled = _to_json(request.settled)
        answer = await self._functions.call(
            "turn",
            *(request.id, self._worker_id, self._address, int(self._lease_s * 1000), request.room, settled),
            request.instead,
        )
        reply = json.loads(answer.decode())  # from bytes it would look for the encoding first
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


@dataclass(slots=True)
class _Got:
    """What the shards gave in one turn."""

    offered: int
    leases: list[tuple[Lease, _Shard]] = field(default_factory=list)
    dues: list[int] = field(default_factory=list)
    heard: bool = False
    unheard: str = ""
    failed: SchedulerUnavailable | None = None
    patience_s: float = _PATIENCE_S

    @property
    def room(self) -> int:
        """What is left of it."""
        return self.offered - len(self.leases)

    def take(self, shard: _Shard, turn: Turn) -> None:
        """Add what one gave."""
        self.heard = True
        self.unheard = self.unheard or turn.unheard
        self.leases += [(lease, shard) for lease in shard.fit(turn.leases, self.room)]
        if turn.next_due_ms is not None:
            self.dues.append(turn.next_due_ms)


class ValkeyConsumer:
    """`domain.ports.scheduler.Consumer` over all shards of a layout, in their order. Used from one task at a time."""

    def __init__(
        self, url: str, *, worker_id: str, lease: timedelta, shards: Sequence[str] = ("1.0",), address: str = ""
    ) -> None:
        """*address* is where this worker's spool is read; who looks for a running job is told it."""
        self._shards = [_Shard(url, shard, worker_id, address, lease.total_seconds()) for shard in shards]
        self._under_way: dict[_Shard, asyncio.Task[Turn]] = {}
        self._waiting: dict[_Shard, asyncio.Task[bool]] = {}
        self._first = 0

    def watch(self, stop: Callable[[Lease, Stop], None]) -> None:
        """Have *stop* called when work must end before its time."""
        for shard in self._shards:
            shard.heartbeat.watch(stop)

    async def turn(self, settled: Sequence[Settlement], room: int) -> Turn:
        """Settle and claim, one shard after the other; each time another is the first to be asked for jobs.

        One that takes long holds up no other: its answer comes with a later turn. Raises `SchedulerUnavailable` where
        no shard answered. Call again with the same settlements: repeating those that were heard changes nothing.
        """
        if len(self._shards) == 1:
            (shard,) = self._shards
            shard.owe(settled)
            turn = await shard.turn(room)
            if len(turn.leases) <= room and not shard.owes:  # as nearly always: there was nobody to wait for
                return turn
            got = _Got(room)
            got.take(shard, turn)
            return self._told(got)
        got = _Got(room)
        for one in settled:
            self._holder(one).owe([one])
        await asyncio.sleep(0)  # where no other is to be asked, those under way must go on too
        self._take_in(got)  # what came late: its room is taken
        self._first = (self._first + 1) % len(self._shards)
        order = self._shards[self._first :] + self._shards[: self._first]
        silent = [shard for shard in order if shard.is_silent]
        for shard in order:
            if shard not in silent and (shard.owes or got.room > 0):
                await self._ask([shard], got)
        # These last, and all at once: they may be silent again.
        got.patience_s = _GLANCE_S
        await self._ask([shard for shard in silent if shard not in self._under_way], got)
        return self._told(got)

    def _holder(self, settled: Settlement) -> _Shard:
        """Return the shard that granted the lease; of one that was lost any may hear, none does anything."""
        held = (shard for shard in self._shards if shard.heartbeat.keeps(settled.job_id, settled.token))
        return next(held, self._shards[0])

    async def _ask(self, shards: Sequence[_Shard], got: _Got) -> None:
        if not shards:
            return
        for shard in shards:
            self._under_way[shard] = asyncio.create_task(shard.turn(got.room))
        _, late = await asyncio.wait([self._under_way[shard] for shard in shards], timeout=got.patience_s)
        if late:
            got.patience_s = _GLANCE_S
        self._take_in(got)

    def _take_in(self, got: _Got) -> None:
        """Take what shards have answered since."""
        for shard, task in list(self._under_way.items()):
            if task.done():
                del self._under_way[shard]
                try:
                    got.take(shard, task.result())
                except SchedulerUnavailable as error:
                    got.failed = error

    def _told(self, got: _Got) -> Turn:
        """Return what a turn gave."""
        # Between a lease's coming and here others were waited for; of one that was lost meanwhile nobody is told again.
        leases = [(lease, shard) for lease, shard in got.leases if shard.heartbeat.keeps(lease.job.id, lease.token)]
        if got.failed and not leases and (not got.heard or isinstance(got.failed, OtherLayout)):
            raise got.failed
        if any(shard.owes for shard in self._shards):
            got.dues.append(_AGAIN_MS)
            got.unheard = str(got.failed or got.unheard or "Part of Valkey has not answered yet.")
        return Turn(tuple(lease for lease, _ in leases), min(got.dues, default=None), got.unheard)

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
        failed = [error for task in done if (error := task.exception())]  # all are looked at: nobody else will
        if failed:
            raise failed[0]
        return any(task.result() for task in done)

    async def leave(self) -> None:
        """Leave wake-ups to others, in all shards."""
        await asyncio.gather(*(shard.leave() for shard in self._shards))

    async def close(self) -> None:
        """Stop the heartbeats and close the connections."""
        tasks: list[asyncio.Task[Any]] = [*self._under_way.values(), *self._waiting.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.gather(*(shard.close() for shard in self._shards))
