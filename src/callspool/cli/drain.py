"""``callspool drain``: empty the scheduler before its number of shards changes."""

import asyncio
from typing import Annotated, Any

import typer

from callspool.cli.console import err, out, print_json
from callspool.cli.context import Data, Json, read_settings, run
from callspool.cli.layout import all_with_jobs
from callspool.domain.errors import Misconfigured, OtherLayout, SchedulerUnavailable
from callspool.wiring import Parts

_LOOK_EVERY_S = 0.5


def drain(
    undo: Annotated[bool, typer.Option("--undo", help="Take and grant jobs again.")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for the jobs that run.")] = 900,
    data: Data = None,
    json: Json = False,
) -> None:
    """Grant nothing more, wait for what runs. Then change CALLSPOOL_SHARDS and start everything again.

    Nothing is lost: the store knows every job, and the new shards are filled from it.
    """

    async def work(parts: Parts) -> int:
        tenants = await all_with_jobs(parts.store)
        if undo:
            await parts.producer.join(tenants)
            await parts.producer.reopen()
            return 0
        return await _drain(parts, tenants, timeout)

    settings = read_settings(data)
    running = run(settings, work)
    if json:
        figures: dict[str, Any] = {"shards": settings.shards, "drained": not undo and running == 0, "running": running}
        print_json(figures)
    elif undo:
        out.print("Jobs are taken and granted again.")
    elif running == 0:
        out.print(f"Drained: nothing runs on the {settings.shards} shard(s). Now set CALLSPOOL_SHARDS, start again.")
    if running:
        err.print(f"{running} job(s) still run. Run 'callspool drain' again, or 'callspool drain --undo'.")
        raise typer.Exit(1)


async def _drain(parts: Parts, tenants: list[str], timeout_s: float) -> int:
    time = asyncio.get_running_loop().time
    until, told = time() + timeout_s, False
    with err.status("draining") as line:
        while True:
            try:
                running = await parts.producer.drain(tenants)
            except OtherLayout as error:
                raise Misconfigured(f"{error} Or drain it with that number.") from None
            except SchedulerUnavailable:
                if time() >= until:
                    raise
                if not told:
                    told = True
                    err.print("Valkey does not answer: waiting for it. Is 'callspool up' running on this data folder?")
                line.update("waiting for Valkey")
            else:
                if running == 0 or time() >= until:
                    return running
                line.update(f"draining: {running} job(s) run")
            await asyncio.sleep(_LOOK_EVERY_S)  # a command that watches, not a worker that waits for a job
