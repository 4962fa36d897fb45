"""``callspool up``: everything in one command, on embedded parts."""

import asyncio
import fcntl
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from callspool.cli.console import err, out, print_json
from callspool.cli.context import Data, Json, read_settings
from callspool.cli.ending import ending_signals, stop_on_signals, stop_with_parent
from callspool.cli.folder import publish
from callspool.cli.layout import join_layout
from callspool.cli.running import run
from callspool.cli.serving import Server, listen
from callspool.cli.supervisor import SupervisedValkey, SupervisedWorker
from callspool.domain.errors import Misconfigured
from callspool.scheduler.embedded import Embedded
from callspool.settings import Settings
from callspool.tasks import cancel, first
from callspool.telemetry import Metrics
from callspool.wiring import (
    add_key,
    make_app,
    make_backfiller,
    make_courier,
    make_folder,
    make_number_router,
    make_operation_runner,
    make_reconciler,
    open_parts,
    valkey_folder,
    with_port,
)


def up(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port to listen on. 0: any.")] = None,
    data: Data = None,
    json: Json = False,
    child: Annotated[bool, typer.Option("--child", hidden=True)] = False,
) -> None:
    """Run everything: page, API, webhooks, a worker, and a Valkey of its own."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    with _folder(temporary=child) as folder:
        settings = read_settings(folder or data, **given)
        _up(settings, json=json, child=child)


@contextmanager
def _folder(*, temporary: bool) -> Iterator[Path | None]:
    """Make the folder of a child: ours to remove, because whoever started us may be killed."""
    if not temporary:
        yield None
        return
    for number in ending_signals():  # until there is a loop that hears them: nothing may be left then, either
        signal.signal(number, _end)
    with tempfile.TemporaryDirectory(prefix="callspool-demo-") as folder:
        yield Path(folder)


def _end(*_: object) -> None:
    raise SystemExit(0)


def _up(settings: Settings, *, json: bool, child: bool) -> None:
    with _only_one(settings):
        taken = listen(settings.host, settings.port)
        settings = with_port(settings, taken.getsockname()[1])
        embedded = None if settings.valkey_url else Embedded(valkey_folder(settings))
        if embedded:
            embedded.start()  # here, in the main thread, to whose life its own is tied
        try:
            run(_run(settings, taken, embedded, json=json, child=child))
        finally:
            if embedded:
                embedded.stop()


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    make_folder(settings)
    with (settings.data / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(
                f"Another 'callspool up' runs on the data folder {settings.data}. Stop it, or choose one with --data."
            ) from None
        yield


async def _run(settings: Settings, taken: socket.socket, embedded: Embedded | None, *, json: bool, child: bool) -> None:
    async with open_parts(settings) as parts:
        stop = asyncio.Event()
        stop_on_signals(stop)
        if child:
            await stop_with_parent(stop)
        key = None if await parts.store.keys() else (await add_key(parts, None, "first key"))[1]
        reconciler, backfiller = make_reconciler(parts), make_backfiller(parts)
        await join_layout(parts, alone=embedded is not None)
        await reconciler.push_limits()
        if embedded:
            # The folder's lock says that no other worker of it runs, so there is no lease to wait for.
            await parts.producer.open()
        metrics = Metrics()
        app = make_app(parts, metrics)
        server, worker = Server(app), SupervisedWorker(settings, metrics)
        valkey = SupervisedValkey(embedded) if embedded else None
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve([taken]))
            if valkey:
                group.create_task(valkey.supervise())
            group.create_task(reconciler.run())
            numbers = group.create_task(make_number_router(parts).run())
            operations = group.create_task(make_operation_runner(parts).run())
            courier = group.create_task(make_courier(parts).run())
            group.create_task(backfiller.run())
            supervisor = group.create_task(worker.supervise())
            await server.ready.wait()
            if child:  # who starts us wants to see calls fetched, not a worker start
                await first(worker.waits, stop)
            publish(settings)
            if not stop.is_set():
                _greet(settings, key, json=json)
            await stop.wait()
            if not json:
                with suppress(OSError):  # the terminal may be what went
                    err.print("Stopping: downloads that run may finish.")
            worker.stop()
            await supervisor
            reconciler.stop()
            backfiller.stop()
            await cancel(operations, courier, numbers)
            app.state.live.close()
            server.stop()
            if valkey:
                valkey.stop()


def _greet(settings: Settings, key: str | None, *, json: bool) -> None:
    if json:
        print_json({"url": settings.public_url, "key": key, "data": str(settings.data.absolute())})
        return
    out.print(f"callspool is up: [bold]{settings.public_url}[/]" + (f"/#key={key}" if key else ""))
    if key:
        out.print(f"Your key, shown only this once: [bold]{key}[/]")
    out.print(f"Data: {settings.data.absolute()}   Stop: Ctrl-C")
