"""What goes wrong: each blow of the plan, done to a process or to the Valkey of all."""

import asyncio
import resource
import signal
from contextlib import suppress
from time import monotonic
from typing import Final

import valkey.asyncio

from chaos.evidence import Blow, Freeze
from chaos.plan import Step
from chaos.system import SERVER, System

_LITTLE: Final = 64 * 1024
"""Bytes: no file of a process whose disk is full grows beyond."""


class Nemesis:
    """Deals the blows; it is healed afterwards, whatever was left of them."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._busy: set[int] = set()
        self.freezes: list[Freeze] = []
        self.blows: list[Blow] = []
        self.emptied = 0
        self.dealt: list[str] = []

    async def deal(self, step: Step) -> None:
        """Do it, let it last, undo it. What another blow holds already is left alone."""
        is_shared = step.action in {"flush", "forget", "crash"}
        target = -1 if is_shared else step.target
        if target in self._busy:
            return
        self._busy.add(target)
        self.dealt.append(f"{step.at_s:.2f} {step.action} {target} {step.part if step.action == 'cut' else ''}".strip())
        since = monotonic()
        try:
            await self._deal(step)
        finally:
            self.blows.append(Blow(since, monotonic()))
            self._busy.discard(target)

    async def _deal(self, step: Step) -> None:
        match step.action:
            case "kill" | "term":
                await self._system.end(step.target, signal.SIGKILL if step.action == "kill" else signal.SIGTERM)
                self._system.start(step.target)
            case "stop":
                await self._stop(step)
            case "cut":
                await self._cut(step)
            case "flush" | "forget":
                await self._empty("FLUSHALL" if step.action == "flush" else "FUNCTION FLUSH")
            case "crash":
                self._system.valkey.kill()
                try:
                    await asyncio.sleep(min(step.for_s, 2.0))  # so long it is away
                finally:
                    self._system.valkey.start()
            case "fill":
                await self._fill(step)

    async def _stop(self, step: Step) -> None:
        process = self._system.processes[step.target].process
        process.send_signal(signal.SIGSTOP)
        since = monotonic()
        try:
            await asyncio.sleep(step.for_s)  # so long it is frozen
        finally:
            if step.target != SERVER:
                self.freezes.append(Freeze(process.pid, since, monotonic()))
            process.send_signal(signal.SIGCONT)

    async def _cut(self, step: Step) -> None:
        part, how = step.part.split(":")
        proxies = self._system.processes[step.target].proxies
        proxy = proxies.get(part, proxies["valkey"])
        proxy.cut(how)
        try:
            await asyncio.sleep(step.for_s)  # so long it is cut
        finally:
            proxy.heal()

    async def _empty(self, command: str) -> None:
        client = valkey.asyncio.Valkey.from_url(self._system.valkey.url)
        with suppress(valkey.ValkeyError, OSError):
            await client.execute_command(*command.split())
            self.emptied += command == "FLUSHALL"
        await client.aclose()

    async def _fill(self, step: Step) -> None:
        """Let no file of the process grow: spool, vault on disk and SQLite are full for it."""
        process = self._system.processes[step.target].process
        with suppress(ProcessLookupError):
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (_LITTLE, hard))
            try:
                await asyncio.sleep(step.for_s)  # so long it is full
            finally:
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
