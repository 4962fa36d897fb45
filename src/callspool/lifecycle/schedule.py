"""When files and recordings go: a little at every turn, the whole vault a few times a day.

Several processes may run it at once: everything it does may be repeated.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Coroutine, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from callspool.domain.errors import Unavailable
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.provider import Provider
from callspool.domain.ports.scheduler import Bulletin, Producer
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.lifecycle.orphans import sweep_orphans
from callspool.lifecycle.purge import Purger
from callspool.lifecycle.release import Releaser
from callspool.lifecycle.replay import replay_tombstones
from callspool.lifecycle.retention import purge_expired
from callspool.lifecycle.scrub import Scrubber
from callspool.settings import Settings
from callspool.tasks import cancel

BATCH = 200
"""Recordings that expire, or are erased, in one turn."""
MOST_REMOVED = 10_000
"""Files in one sweep."""
UNFINISHED_AGE = timedelta(days=1)
"""No upload takes so long: the fetch deadline is far below."""
_LEAST_REST = timedelta(hours=1)

_log = structlog.get_logger("callspool.lifecycle")


class Lifecycle:
    """Runs beside the reconciler until it is told to stop."""

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        bulletin: Bulletin,
        producer: Producer,
        providers: Mapping[str, Provider],
        clock: Clock,
        settings: Settings,
    ) -> None:
        self.purger = Purger(store, vault, bulletin)
        parts: dict[str, Any] = {
            "store": store,
            "vault": vault,
            "providers": providers,
            "clock": clock,
            "rate": settings.scrub_rate,
        }
        self.scrubber = Scrubber(producer=producer, bulletin=bulletin, **parts)
        self.releaser = Releaser(scrubber=self.scrubber, pause=settings.backfill_pause, **parts)
        self._store = store
        self._vault = vault
        self._clock = clock
        self._settings = settings

    async def run(self, stopping: asyncio.Event) -> None:
        """Take a turn at the reconciler's pace, and sweep the vault at its own. Nothing waits for its end."""
        tasks = [asyncio.create_task(one) for one in (self._work(), self._scrub(), self._release(), stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(*tasks)

    async def _work(self) -> None:
        time = asyncio.get_running_loop().time
        pause, sweep_pause = self._settings.reconcile_every.total_seconds(), self._settings.sweep_every.total_seconds()
        due = time() + sweep_pause / 10  # soon after a start, and not at once
        replayed = False
        while True:
            try:
                if not replayed:
                    await replay_tombstones(self._store, self._vault, self.purger)
                    replayed = True
                await self.turn()
                if time() >= due:
                    due = time() + sweep_pause
                    await self.sweep()
            except Unavailable as error:
                _log.warning("lifecycle.put_off", error=str(error))
            except Exception:
                _log.exception("lifecycle.broke")  # recordings come and play all the same
            await asyncio.sleep(pause)

    async def _scrub(self) -> None:
        """Prove kept files, one after another; where none is due, look again later."""
        every = self._settings.scrub_every
        while every:
            if not await self._patiently(self.scrubber.turn(every)):
                await asyncio.sleep(self._settings.reconcile_every.total_seconds())
        await asyncio.Event().wait()

    async def _release(self) -> None:
        """Delete at the providers what is due."""
        while True:
            await self._patiently(self.releaser.turn(limit=BATCH))
            await asyncio.sleep(self._settings.reconcile_every.total_seconds())

    async def _patiently(self, turn: Coroutine[None, None, int]) -> int:
        """Return how many it did; 0 where a part does not answer, or something broke."""
        try:
            return await turn
        except Unavailable as error:
            _log.warning("lifecycle.put_off", error=str(error))
        except Exception:
            _log.exception("lifecycle.broke")
        return 0

    async def turn(self) -> None:
        """Purge some of what has expired; erase some of what an earlier try left."""
        await purge_expired(self._store, self.purger, self._clock, limit=BATCH)
        await self.purger.erase_due(limit=BATCH)

    async def sweep(self) -> None:
        """Purge what a store that was put back does not know of; remove what nobody needs and what nobody ended."""
        await replay_tombstones(self._store, self._vault, self.purger)
        rest = max(_LEAST_REST, 2 * self._settings.fetch_deadline)
        await sweep_orphans(self._store, self._vault, self._clock, settled_for=rest, most=MOST_REMOVED)
        await asyncio.to_thread(remove_old, self._settings.data / "tmp", UNFINISHED_AGE)
        if count := await self._vault.sweep_unfinished(UNFINISHED_AGE):
            _log.warning("vault.unfinished_removed", count=count)


def remove_old(folder: Path, older_than: timedelta) -> None:
    """Remove what processes that were killed left in a folder of temporary files; "old" by the disk's own clock."""
    if not folder.is_dir():
        return
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        now = os.fstat(probe.fileno()).st_mtime
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                if now - path.stat().st_mtime > older_than.total_seconds():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
