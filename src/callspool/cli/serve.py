"""``callspool serve``: webhooks, API and page, without a worker."""

import asyncio
from typing import Annotated

import typer

from callspool.cli.console import out, print_json
from callspool.cli.context import Data, Json, read_settings
from callspool.cli.ending import stop_on_signals
from callspool.cli.folder import publish
from callspool.cli.layout import join_layout
from callspool.cli.running import run
from callspool.cli.serving import Server, listen
from callspool.tasks import cancel
from callspool.telemetry import Metrics
from callspool.wiring import (
    make_app,
    make_backfiller,
    make_courier,
    make_number_router,
    make_operation_runner,
    make_reconciler,
    open_parts,
    with_port,
)


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port to listen on. 0: any.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Answer webhooks, the API and the page. Workers run beside it: callspool worker."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = read_settings(data, **given)
    taken = listen(settings.host, settings.port)
    settings = with_port(settings, taken.getsockname()[1])

    async def work() -> None:
        async with open_parts(settings) as parts:
            await join_layout(parts)
            publish(settings)
            stop = asyncio.Event()
            stop_on_signals(stop)
            app = make_app(parts, Metrics())
            server, reconciler, backfiller = Server(app), make_reconciler(parts), make_backfiller(parts)
            async with asyncio.TaskGroup() as group:
                group.create_task(server.serve([taken]))
                group.create_task(reconciler.run())
                numbers = group.create_task(make_number_router(parts).run())
                operations = group.create_task(make_operation_runner(parts).run())
                courier = group.create_task(make_courier(parts).run())
                group.create_task(backfiller.run())
                await server.ready.wait()
                if json:
                    print_json({"url": settings.public_url})
                else:
                    out.print(f"callspool answers on {settings.public_url}")
                await stop.wait()
                app.state.live.close()
                reconciler.stop()
                backfiller.stop()
                await cancel(operations, courier, numbers)
                server.stop()

    run(work())
