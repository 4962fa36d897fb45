"""``callspool demo``: the main job on real parts, with a provider that is simulated and sometimes at fault."""

import asyncio
import contextlib
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from callspool.cli.console import err, out, print_json
from callspool.cli.context import Json, read_settings
from callspool.cli.demo import calls, judgement, stage
from callspool.cli.demo.report import show


def demo(
    once: Annotated[bool, typer.Option("--once", help="End when every recording is final, and judge the run.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed makes the same calls.")] = 1,
    recordings: Annotated[int, typer.Option(min=1, max=100_000, help="How many calls.")] = 300,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The page's port. 0: any free one.")] = None,
    json: Json = False,
) -> None:
    """Show callspool at work: six tenants, a stream of calls, some of them faulty. Leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="callspool-demo-") as folder:
        port = port if port is not None else (0 if once else 8400)
        settings = read_settings(
            Path(folder) / "data", retry_scale=0.1, stall_timeout=3, log_level="error" if once else "warning", port=port
        )
        with contextlib.suppress(asyncio.CancelledError):
            holds = asyncio.run(_run(stage.Stage(settings), once=once, seed=seed, count=recordings, json=json))
            if not holds:
                raise typer.Exit(1)


async def _run(one: stage.Stage, *, once: bool, seed: int, count: int, json: bool) -> bool:
    _cancel_on_signals()
    async with one.set_up() as set_up:
        plan = calls.plan(seed, count)
        if not once:
            out.print(f"The demo is up: [bold]{set_up.url}/#key={set_up.key}[/]   Stop: Ctrl-C")
            await calls.place_all(set_up, plan, pause_s=0.15)
            await asyncio.Event().wait()
        with err.status(f"{count} calls") as line:
            await calls.place_all(set_up, plan, pause_s=0)
            await judgement.all_final(set_up, count, line.update)
            line.update("Comparing with the provider's log")
            verdict = await judgement.judge(set_up)
        print_json(verdict.as_json()) if json else show(verdict)
        return verdict.holds


def _cancel_on_signals() -> None:
    """Let Ctrl-C and SIGTERM end the demo once: a second one must not break off its tidying up."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    pending = True

    def cancel() -> None:
        nonlocal pending
        if pending and task is not None:
            pending = False
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, cancel)
