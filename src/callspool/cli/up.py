"""``callspool up``: everything in one command, on embedded parts."""

import asyncio
import fcntl
import json as json_module
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

import structlog
import typer

from callspool.cli.console import err, out, print_json
from callspool.cli.context import Data, Json, read_settings
from callspool.cli.serving import Server, listen, run, stop_on_signals
from callspool.cli.worker import observe
from callspool.domain.errors import Misconfigured
from callspool.domain.ids import TenantId
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from callspool.fetch.outcome import Outcome
from callspool.scheduler.embedded import Embedded
from callspool.settings import Settings
from callspool.telemetry import Metrics
from callspool.wiring import (
    add_key,
    make_app,
    make_backfiller,
    make_courier,
    make_number_router,
    make_operation_runner,
    make_reconciler,
    open_parts,
    valkey_folder,
    with_port,
)

_RESTART_PAUSES_S = (0.2, 1.0, 5.0, 15.0)
_WELL_S = 60
"""A worker that lived this long had started well: its death begins the count again."""


def up(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port to listen on. 0: any.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Run everything: page, API, webhooks, a worker, and a Valkey of its own."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = read_settings(data, **given)
    with _only_one(settings):
        taken = listen(settings.host, settings.port)
        settings = with_port(settings, taken.getsockname()[1])
        embedded = None if settings.valkey_url else Embedded(valkey_folder(settings))
        if embedded:
            embedded.start()  # here, in the main thread, to whose life its own is tied
        try:
            run(_run(settings, taken, owns_valkey=embedded is not None, json=json))
        finally:
            if embedded:
                embedded.stop()


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    settings.data.mkdir(parents=True, exist_ok=True)
    with (settings.data / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(
                f"Another 'callspool up' runs on the data folder {settings.data}. Stop it, or choose one with --data."
            ) from None
        yield


async def _run(settings: Settings, taken: socket.socket, *, owns_valkey: bool, json: bool) -> None:
    async with open_parts(settings) as parts:
        stop = asyncio.Event()
        stop_on_signals(stop)
        key = None if await parts.store.keys() else (await add_key(parts, None, "first key"))[1]
        reconciler, backfiller = make_reconciler(parts), make_backfiller(parts)
        await reconciler.push_limits()
        if owns_valkey:
            # The folder's lock says that no other worker of it runs, so there is no lease to wait for.
            await parts.producer.open()
        metrics = Metrics()
        app = make_app(parts, metrics)
        server, worker = Server(app), _Worker(settings, metrics)
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve([taken]))
            group.create_task(reconciler.run())
            numbers = group.create_task(make_number_router(parts).run())
            operations = group.create_task(make_operation_runner(parts).run())
            courier = group.create_task(make_courier(parts).run())
            group.create_task(backfiller.run())
            supervisor = group.create_task(worker.supervise())
            await server.ready.wait()
            _greet(settings, key, json=json)
            await stop.wait()
            if not json:
                err.print("Stopping: downloads that run may finish.")
            worker.stop()
            await supervisor
            reconciler.stop()
            operations.cancel()
            courier.cancel()
            numbers.cancel()
            backfiller.stop()
            app.state.live.close()
            server.stop()


def _greet(settings: Settings, key: str | None, *, json: bool) -> None:
    if json:
        print_json({"url": settings.public_url, "key": key})
        return
    out.print(f"callspool is up: [bold]{settings.public_url}[/]" + (f"/#key={key}" if key else ""))
    if key:
        out.print(f"Your key, shown only this once: [bold]{key}[/]")
    out.print(f"Data: {settings.data.absolute()}   Stop: Ctrl-C")


class _Worker:
    """The worker process: started again when it dies, ended when we end."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._process: asyncio.subprocess.Process | None = None
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

    async def _live_once(self) -> float:
        time = asyncio.get_running_loop().time
        begun = time()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "callspool.cli", "worker", "--child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=_environment(self._settings),
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
        assert self._process.stdout is not None  # noqa: S101 -- PIPE was asked for
        async for line in self._process.stdout:
            self._count(line)
        code = await self._process.wait()
        if code and not self._stopping.is_set():
            self._log.error("worker.exited", code=code)
        return time() - begun

    def _count(self, line: bytes) -> None:
        told = json_module.loads(line)
        told |= {"tenant_id": TenantId(told["tenant_id"]), "state": State(told["state"])}
        told["reason"] = Reason(told["reason"]) if told["reason"] else None
        observe(self._metrics, Outcome(**told))

    def stop(self) -> None:
        """Let it drain and end."""
        self._stopping.set()
        if self._process and self._process.returncode is None:
            self._process.terminate()


def _environment(settings: Settings) -> dict[str, str]:
    """Return the environment that gives a child the very settings that we have."""
    return {**os.environ, **settings.as_environment()}
