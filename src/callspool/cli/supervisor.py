"""The processes of ``callspool up``, its worker and its Valkey: started again when they die, ended when we end."""

import asyncio
import json
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import structlog

from callspool.child import Child
from callspool.cli.worker import observe
from callspool.domain.ids import TenantId
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from callspool.fetch.outcome import Outcome
from callspool.scheduler.embedded import Embedded
from callspool.settings import Settings
from callspool.tasks import first
from callspool.telemetry import Metrics

_RESTART_PAUSES_S: Final = (0.2, 1.0, 5.0, 15.0)
_WELL_S: Final = 60
"""What lived this long had started well: its death begins the count again."""


async def _keep_alive(
    live: Callable[[], Awaitable[None]], stopping: asyncio.Event, died: Callable[[float], None]
) -> None:
    """Let something live, again and again, until *stopping*. *died* is told how long it stays away each time."""
    time = asyncio.get_running_loop().time
    deaths = 0
    while not stopping.is_set():
        begun = time()
        await live()
        if stopping.is_set():
            return
        deaths = 1 if time() - begun > _WELL_S else deaths + 1
        pause_s = _RESTART_PAUSES_S[min(deaths, len(_RESTART_PAUSES_S)) - 1]
        died(pause_s)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause_s)


class SupervisedValkey:
    """A Valkey that has been started. Who stops it says so before, or it is started again."""

    def __init__(self, server: Embedded) -> None:
        self._server = server
        self._lives = True
        self._stopping = asyncio.Event()
        self._log = structlog.get_logger().bind(log=str(server.log))

    async def supervise(self) -> None:
        """Start it again each time it ends, until `stop`. What it forgot is put in again by the reconciler."""
        await _keep_alive(
            self._live_once, self._stopping, lambda pause_s: self._log.error("valkey.died", restart_in_s=pause_s)
        )

    def stop(self) -> None:
        """Leave it to its owner from here on."""
        self._stopping.set()

    async def _live_once(self) -> None:
        if not self._lives:
            try:
                self._server.start_again()
            except OSError as error:  # no memory, no processes: later, perhaps
                self._log.error("valkey.not_started", error=str(error))
                return
        ended = asyncio.Event()
        threading.Thread(target=self._wait, args=(asyncio.get_running_loop(), ended), daemon=True).start()
        await first(ended, self._stopping)
        self._lives = not ended.is_set()

    def _wait(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
        # Not in the loop's own threads: those are waited for before it is told to end.
        self._server.wait()
        with suppress(RuntimeError):  # the loop was closed before
            loop.call_soon_threadsafe(ended.set)


class SupervisedWorker:
    """One worker at a time. It tells us its outcomes, a line of JSON each, on its standard output; we count them."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.waits = asyncio.Event()
        """Set once a worker has waited for jobs."""
        self._settings = settings
        self._metrics = metrics
        self._child: Child | None = None
        self._stopping = asyncio.Event()
        self._log = structlog.get_logger()

    async def supervise(self) -> None:
        """Keep it running until `stop`."""
        await _keep_alive(
            self._live_once, self._stopping, lambda pause_s: self._log.error("worker.died", restart_in_s=pause_s)
        )

    def stop(self) -> None:
        """Let it drain and end."""
        self._stopping.set()
        if self._child:
            self._child.terminate()

    async def _live_once(self) -> None:
        command = (sys.executable, "-m", "callspool.cli", "worker", "--child")
        self._child = await Child.start(*command, environment=self._settings.for_child())
        if self._stopping.is_set():  # it began to start before, and `stop` did not know it yet
            self._child.terminate()
        while True:
            try:
                if not (line := await self._child.reader.readline()):
                    break
                self._hear(json.loads(line))
            except (ValueError, KeyError, TypeError):  # a library may print; that is no reason to end everything
                self._log.warning("worker.line_not_understood")
        code = await self._child.wait()
        if code and not self._stopping.is_set():
            self._log.error("worker.exited", code=code)

    def _hear(self, told: dict[str, Any]) -> None:
        if "waits" in told:
            self.waits.set()
            return
        told |= {"tenant_id": TenantId(told["tenant_id"]), "state": State(told["state"])}
        told["reason"] = Reason(told["reason"]) if told["reason"] else None
        observe(self._metrics, Outcome(**told))
