"""The worker: one loop that settles what ended, claims what there is room for, and waits for neither.

Each turn is one call to the scheduler. A lease becomes a task; the loop wakes when a task ends, when the
scheduler has something, or when it shall stop. It never sleeps for a job, holds no state that matters, and
can die at any moment: its leases run out and the store knows where every recording stands.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

import structlog

from callspool.domain.errors import SchedulerUnavailable, StoreUnavailable
from callspool.domain.job import Lease, Settlement, Stop, Turn
from callspool.domain.ports.audio import Prober
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.provider import Provider
from callspool.domain.ports.scheduler import Bulletin, Consumer
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.domain.webhook import is_delivery_id
from callspool.fetch.calls import Calls
from callspool.fetch.job import Tools, Work
from callspool.fetch.leased import Leased
from callspool.fetch.outcome import Outcome
from callspool.fetch.sending import Sending
from callspool.fetch.spool import Spool
from callspool.fetch.tap import Taps
from callspool.settings import Settings

LONGEST_WAIT: Final = timedelta(seconds=30)
"""Even with nothing to do the scheduler is asked this often: a lost wake-up costs no more."""
FULL_DISK_WAIT: Final = timedelta(seconds=5)
"""How long after "no space left" nothing is claimed, whatever the filesystem says."""
LAST_SETTLE_WAIT: Final = timedelta(seconds=5)
"""How long a worker that stops tries to tell the scheduler; then the leases run out by themselves."""
BROKEN_DELAY: Final = timedelta(seconds=30)

_FIRST_BACKOFF: Final = 0.1
_LONGEST_BACKOFF: Final = 5.0


@dataclass(slots=True)
class _Running:
    """A lease and the task that works on it."""

    lease: Lease
    work: Leased
    task: asyncio.Task[Settlement]
    stop: Stop | None = None


class Worker:
    """One for each process. ``run`` works until ``drain`` is called."""

    def __init__(
        self,
        *,
        worker_id: str,
        store: Store,
        consumer: Consumer,
        bulletin: Bulletin,
        provider_of: Mapping[str, Provider],
        vault: Vault,
        prober: Prober,
        clock: Clock,
        settings: Settings,
        spool: Path,
        random: Random,
        observe: Callable[[Outcome], None] | None = None,
        taps: Taps | None = None,
    ) -> None:
        self._worker_id = worker_id
        self._store = store
        self._consumer = consumer
        self._bulletin = bulletin
        self._provider_of = provider_of
        self._vault = vault
        self._prober = prober
        self._clock = clock
        self._settings = settings
        self._spool_folder = spool
        self._random = random
        self._observe = observe or (lambda outcome: None)
        self._taps = taps or Taps()
        self._log = structlog.get_logger().bind(worker=worker_id)
        self._running: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[Settlement]] = set()
        self._settled: list[Settlement] = []
        self._unheard = ""
        self._bell = asyncio.Event()
        self._draining = asyncio.Event()
        self._full_until = 0.0

    def drain(self) -> None:
        """Claim no more; let what runs finish within the grace, then hand it back. `run` returns after that."""
        self._draining.set()
        self._bell.set()

    async def run(self) -> None:
        """Work until `drain`; then finish, or hand back, what is running."""
        spool = await asyncio.to_thread(Spool, self._spool_folder, self._worker_id)
        calls = Calls(self._store)
        tools = Tools(
            actor=f"worker:{self._worker_id}",
            store=self._store,
            bulletin=self._bulletin,
            provider_of=self._provider_of,
            vault=self._vault,
            prober=self._prober,
            clock=self._clock,
            settings=self._settings,
            spool=spool,
            taps=self._taps,
            calls=calls,
            random=self._random,
            observe=self._observe,
            spool_full=self._spool_is_full,
        )
        self._consumer.watch(self._stop)
        self._log.info("worker.started", concurrency=self._settings.concurrency)
        sweeping = asyncio.create_task(self._sweep(spool))
        try:
            await self._work(tools)
            await self._finish()
        finally:
            sweeping.cancel()
            await asyncio.wait([sweeping])
            await self._abandon()
            await calls.close()
            spool.close()
            self._log.info("worker.stopped")

    async def _work(self, tools: Tools) -> None:
        listening: asyncio.Task[None] | None = None
        backoff = _FIRST_BACKOFF
        try:
            while not self._draining.is_set():
                self._bell.clear()
                room = self._room(tools.spool)
                is_busy = len(self._tasks) >= self._settings.concurrency
                pause = LONGEST_WAIT if room or is_busy else FULL_DISK_WAIT
                if room or self._settled or self._unheard:
                    try:
                        turn = await self._turn(room)
                    except SchedulerUnavailable as error:
                        self._log.warning("scheduler.unavailable", error=str(error), retry_s=backoff)
                        await _within(self._draining, timedelta(seconds=backoff))
                        backoff = min(backoff * 2, _LONGEST_BACKOFF)
                        continue
                    backoff = _FIRST_BACKOFF
                    for lease in turn.leases:
                        self._begin(tools, lease)
                    if (room or turn.unheard) and turn.next_due_ms is not None:
                        pause = min(pause, timedelta(milliseconds=max(turn.next_due_ms, 1)))
                if listening is None or listening.done():  # a full worker too: it may be told to cancel
                    listening = asyncio.create_task(self._listen())
                await _within(self._bell, pause)
        finally:
            if listening is not None:
                listening.cancel()
                await asyncio.wait([listening])

    async def _sweep(self, spool: Spool) -> None:
        """Remove from time to time what another worker of this machine left that died and was not started again."""
        while not self._draining.is_set():
            await _within(self._draining, self._settings.sweep_every)
            with contextlib.suppress(OSError):
                await asyncio.to_thread(spool.sweep)

    async def _turn(self, room: int) -> Turn:
        settled = tuple(self._settled)
        turn = await self._consumer.turn(settled, room)
        del self._settled[: len(settled)]  # what ended meanwhile stays for the next turn
        if turn.unheard and not self._unheard:
            self._log.warning("scheduler.partly_unavailable", error=turn.unheard)
        self._unheard = turn.unheard
        return turn

    async def _listen(self) -> None:
        """Ring the bell when the scheduler has something. What is wrong with it, the next turn will say."""
        try:
            await self._consumer.wait(LONGEST_WAIT)
        except SchedulerUnavailable:
            await asyncio.sleep(_FIRST_BACKOFF)
        finally:
            self._bell.set()

    def _room(self, spool: Spool) -> int:
        if self._draining.is_set() or asyncio.get_running_loop().time() < self._full_until:
            return 0
        if spool.free() < self._settings.spool_reserve:
            self._spool_is_full()
            self._log.error("spool.full", free=spool.free(), reserve=self._settings.spool_reserve)
            return 0
        return max(0, self._settings.concurrency - len(self._tasks))

    def _spool_is_full(self) -> None:
        self._full_until = asyncio.get_running_loop().time() + FULL_DISK_WAIT.total_seconds()

    def _begin(self, tools: Tools, lease: Lease) -> None:
        if older := self._running.get(lease.job.id):  # its work has not ended yet
            self._stop(older.lease, Stop.LOST)
        work = Sending(tools, lease) if is_delivery_id(lease.job.id) else Work(tools, lease)
        running = _Running(lease, work, asyncio.create_task(self._run_work(work)))
        self._running[lease.job.id] = running
        self._tasks.add(running.task)
        running.task.add_done_callback(lambda _: self._ended(running))

    async def _run_work(self, work: Leased) -> Settlement:
        try:
            return await work.run()
        except StoreUnavailable as error:
            self._log.error("store.unavailable", error=str(error))
        except Exception:
            self._log.exception("job.broke")
        return work.later(BROKEN_DELAY)

    def _stop(self, lease: Lease, why: Stop) -> None:
        running = self._running.get(lease.job.id)
        if running is None or running.lease != lease:
            return  # it ended; what may run now is of a later lease, which is good
        del self._running[lease.job.id]
        running.stop = why
        running.work.note(why)
        running.task.cancel()

    def _ended(self, running: _Running) -> None:
        self._tasks.discard(running.task)
        if self._running.get(running.lease.job.id) is running:
            del self._running[running.lease.job.id]
        match running.stop:
            case Stop.LOST:
                pass  # the slot is another's by now
            case Stop.CANCELLED:
                self._settled.append(running.work.done())
            case None:
                cancelled = running.task.cancelled()
                self._settled.append(running.work.later(timedelta()) if cancelled else running.task.result())
        self._bell.set()

    async def _finish(self) -> None:
        """Let what runs end within the grace, hand back the rest, and settle all of it."""
        time = asyncio.get_running_loop().time
        end = time() + self._settings.drain_grace.total_seconds()
        self._log.info("worker.draining", running=len(self._tasks))
        await self._consumer.leave()
        while self._tasks and (left := end - time()) > 0:
            self._bell.clear()
            await self._settle()
            await _within(self._bell, timedelta(seconds=min(left, _LONGEST_BACKOFF)))
        unfinished = list(self._running.values())
        await self._abandon()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SETTLE_WAIT.total_seconds()):
                await asyncio.gather(*(self._hand_back(running) for running in unfinished))
        end = time() + LAST_SETTLE_WAIT.total_seconds()
        while (self._settled or self._unheard) and time() < end:
            if not await self._settle() or self._unheard:
                await asyncio.sleep(_FIRST_BACKOFF)

    async def _hand_back(self, running: _Running) -> None:
        if running.stop is None and running.task.cancelled():
            try:
                await running.work.hand_back()
            except StoreUnavailable as error:
                self._log.warning("store.unavailable", error=str(error))

    async def _abandon(self) -> None:
        """End all work now."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_SETTLE_WAIT.total_seconds())

    async def _settle(self) -> bool:
        try:
            if self._settled or self._unheard:
                await self._turn(0)
        except SchedulerUnavailable as error:
            self._log.warning("scheduler.unavailable", error=str(error))
            return False
        return True


async def _within(event: asyncio.Event, at_most: timedelta) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(at_most.total_seconds()):
            await event.wait()
