"""Keeps leases alive from a thread of its own, so that a busy event loop does not lose them.

A lease is trusted until one lease time after the moment *before* the last renewal that succeeded was sent, by
this process' monotonic clock, less a margin. When that passes without another renewal its work is told to stop:
by then Valkey may be about to give the job to someone else.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import valkey

from callspool.domain.job import Lease, Settlement, Stop
from callspool.scheduler.connection import NO_ANSWER, connect_blocking
from callspool.scheduler.keys import Keys
from callspool.scheduler.library import is_missing, library

_BEATS_PER_LEASE = 3
_MARGIN = 0.1  # of a lease time: to stop a download in
_BATCH = 200


@dataclass(slots=True)
class _Held:
    lease: Lease
    trusted_until: float


class Heartbeat:
    """Renews the leases of one worker. Thread-safe."""

    def __init__(self, url: str, shard: str, worker_id: str, address: str, lease_s: float) -> None:
        self._keys = Keys(shard)
        self._worker_id = worker_id
        self._address = address
        self._lease_s = lease_s
        self._url = url
        self._client: valkey.Valkey | valkey.ValkeyCluster | None = None
        self._held: dict[str, _Held] = {}
        self._changed = threading.Condition()
        self._beat_now = False
        self._closed = False
        self._stop: Callable[[Lease, Stop], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="callspool-heartbeat", daemon=True)

    def watch(self, stop: Callable[[Lease, Stop], None]) -> None:
        """Have *stop* called in the running event loop."""
        self._stop, self._loop = stop, asyncio.get_running_loop()

    def hold(self, leases: Sequence[Lease], sent_at: float) -> None:
        """Begin to renew leases that were asked for at *sent_at* (monotonic)."""
        with self._changed:
            for lease in leases:
                self._held[lease.job.id] = _Held(lease, sent_at + self._lease_s)
            if not self._thread.is_alive() and not self._closed:
                self._thread.start()
            # A fresh lease is renewed at the next beat in any case; one whose reply was late may not last till then.
            if monotonic() - sent_at > self._lease_s / 2:
                self._beat_now = True
                self._changed.notify()

    def release(self, settled: Sequence[Settlement]) -> None:
        """Stop renewing the leases that were settled."""
        with self._changed:
            for one in settled:
                if self._find(one.job_id, one.token):
                    del self._held[one.job_id]

    def keeps(self, job_id: str, token: str) -> bool:
        """Say whether a lease is renewed: nobody was told that it is lost."""
        with self._changed:
            return self._find(job_id, token) is not None

    def _find(self, job_id: str, token: str) -> _Held | None:
        held = self._held.get(job_id)
        return held if held and held.lease.token == token else None

    def beat(self) -> None:
        """Renew now: a cancellation is waiting to be read."""
        with self._changed:
            self._beat_now = True
            self._changed.notify()

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(self._lease_s)
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]

    def _run(self) -> None:
        interval = self._lease_s / _BEATS_PER_LEASE
        next_beat = monotonic() + interval
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._beat_now, self._pause(next_beat))
                if self._closed:
                    return
                due = self._beat_now or monotonic() >= next_beat
                self._beat_now = False
            # First: a process that was frozen must not renew what may be another's by now.
            self._tell_lost()
            with self._changed:
                held = list(self._held.values())
            if due:
                # After a failure sooner, so that one lost packet does not cost a third of the lease.
                results = [self._renew(held[at : at + _BATCH]) for at in range(0, len(held), _BATCH)]
                next_beat = monotonic() + (interval if all(results) else interval / 5)
            self._tell_lost()

    def _pause(self, next_beat: float) -> float:
        waits = [one.trusted_until - self._lease_s * _MARGIN for one in self._held.values()]
        return max(0.0, min([next_beat, *waits]) - monotonic())

    def _renew(self, held: list[_Held]) -> bool:
        args: list[str | int] = [self._worker_id, self._address, int(self._lease_s * 1000)]
        for one in held:
            job = one.lease.job
            args += [job.id, job.pool, job.tenant, job.lane.value, one.lease.token]
        before = monotonic()
        try:
            verdicts = self._call("renew", self._keys.prefix, args)
            is_in_force = self._is_in_force()
        except NO_ANSWER:
            return False
        for one, verdict in zip(held, verdicts, strict=True):
            if verdict == b"lost" or not is_in_force:
                self._tell(one, Stop.LOST)
            else:
                one.trusted_until = before + self._lease_s
                if verdict == b"cancelled":
                    self._tell(one, Stop.CANCELLED)
        return True

    def _is_in_force(self) -> bool:
        """Ask whether our layout is; where its node of a cluster is away, ours goes on."""
        try:
            shards, *_ = self._call("layout", self._keys.layout, [self._keys.count, ""])
        except NO_ANSWER:
            if not isinstance(self._client, valkey.ValkeyCluster):
                raise
            return True
        return shards in {0, self._keys.count}

    def _call(self, name: str, key: str, args: list[str | int]) -> list[Any]:
        if self._client is None:  # here, in the thread: that of a cluster asks for its nodes at once
            self._client = connect_blocking(self._url, self._lease_s / 6)
        command = ("FCALL", f"{library().name}_{name}", 1, key, *args)
        there, everywhere = {}, {}
        if isinstance(self._client, valkey.ValkeyCluster):  # it would ask the first node for each function's keys
            there = {"target_nodes": self._client.get_node_from_key(key)}  # type: ignore[no-untyped-call]
            everywhere = {"target_nodes": valkey.ValkeyCluster.PRIMARIES}
        try:
            reply: list[Any] = self._client.execute_command(*command, **there)  # type: ignore[no-untyped-call]
        except valkey.ResponseError as error:
            if not is_missing(error):
                raise
            self._client.execute_command("FUNCTION", "LOAD", "REPLACE", library().code, **everywhere)  # type: ignore[no-untyped-call]
            reply = self._client.execute_command(*command, **there)  # type: ignore[no-untyped-call]
        return reply

    def _tell_lost(self) -> None:
        with self._changed:
            held = list(self._held.values())
        for one in held:
            if monotonic() >= one.trusted_until - self._lease_s * _MARGIN:
                self._tell(one, Stop.LOST)

    def _tell(self, one: _Held, why: Stop) -> None:
        """Tell the work to stop. A cancelled job keeps its lease, and its slot, until it is settled."""
        if why is Stop.LOST:
            with self._changed:
                if self._held.get(one.lease.job.id) is one:
                    del self._held[one.lease.job.id]
        if self._stop and self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop, one.lease, why)
