"""The worker process of ``callspool up``: started again when it dies, ended when we end, its outcomes counted here."""

import asyncio
import json
import sys
from contextlib import suppress
from typing import Any, Final

import structlog

from callspool.child import Child
from callspool.cli.worker import observe
from callspool.domain.ids import TenantId
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from callspool.fetch.outcome import Outcome
from callspool.settings import Settings
from callspool.telemetry import Metrics

_RESTART_PAUSES_S: Final = (0.2, 1.0, 5.0, 15.0)
_WELL_S: Final = 60
"""A worker that lived this long had started well: its death begins the count again."""


class SupervisedWorker:
    """One worker at a time. It tells us what it does, a line of JSON each, on its standard output."""

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
        deaths = 0
        while not self._stopping.is_set():
            lived = await self._live_once()
            if self._stopping.is_set():
                return
            deaths = 1 if lived > _WELL_S else deaths + 1
            pause_s = _RESTART_PAUSES_S[min(deaths, len(_RESTART_PAUSES_S)) - 1]
            self._log.error("worker.died", restart_in_s=pause_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)

    def stop(self) -> None:
        """Let it drain and end."""
        self._stopping.set()
        if self._child:
            self._child.terminate()

    async def _live_once(self) -> float:
        time = asyncio.get_running_loop().time
        begun = time()
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
        return time() - begun

    def _hear(self, told: dict[str, Any]) -> None:
        if "waits" in told:
            self.waits.set()
            return
        told |= {"tenant_id": TenantId(told["tenant_id"]), "state": State(told["state"])}
        told["reason"] = Reason(told["reason"]) if told["reason"] else None
        observe(self._metrics, Outcome(**told))
