"""``callspool demo``: the main job on real parts, with a provider that is simulated and sometimes at fault."""

import asyncio
import contextlib
from typing import Annotated, Final

import typer

from callspool.cli.console import err, out, print_json
from callspool.cli.context import Json
from callspool.cli.demo import calls, stage
from callspool.cli.demo.evidence import all_final, gather
from callspool.cli.demo.judgement import judge
from callspool.cli.demo.report import show
from callspool.cli.ending import ending_signals
from callspool.settings import Settings
from callspool.telemetry import configure_logging

_COUNT: Final = 300
_LIVE_RATE: Final = 80_000
"""Bytes a second of each download that a person watches: a call takes some seconds."""


def demo(
    once: Annotated[bool, typer.Option("--once", help="End when every recording is final, and judge the run.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed makes the same calls.")] = 1,
    recordings: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="With --once: how many calls.", show_default=str(_COUNT))
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The page's port. 0: any free one.")] = None,
    patience: Annotated[
        float, typer.Option(min=1, help="With --once: judge after so many seconds in which none became final.")
    ] = 120.0,
    json: Json = False,
) -> None:
    """Show callspool at work: six tenants, a stream of calls, some of them faulty. Leaves nothing behind."""
    if not once and (json or recordings is not None):
        option = "--json" if json else "--recordings"
        raise typer.BadParameter(
            "it needs --once: without it the demo goes on until Ctrl-C and has no end to tell.", param_hint=option
        )
    # Nothing of this comes from the shell: its CALLSPOOL_* name the parts of a real installation.
    settings = Settings.read(
        {},
        host="127.0.0.1",
        port=port if port is not None else (0 if once else 8400),
        retry_scale=0.1,
        stall_timeout=3,
        log_level="error",
    )
    configure_logging(level=settings.log_level, form=settings.log_format)
    with contextlib.suppress(asyncio.CancelledError):
        one = stage.Stage(settings, rate=None if once else _LIVE_RATE)
        if not once:
            asyncio.run(_live(one, seed))
        elif not asyncio.run(_once(one, seed, recordings or _COUNT, patience, json=json)):
            raise typer.Exit(1)


async def _live(one: stage.Stage, seed: int) -> None:
    _cancel_on_signals()
    async with one.set_up() as set_up:
        out.print(f"The demo is up: [bold]{set_up.url}/#key={set_up.key}[/]   Stop: Ctrl-C")
        async with asyncio.TaskGroup() as group:
            group.create_task(calls.place_all(set_up, calls.burst(seed)))
            group.create_task(calls.place_each(set_up, calls.stream(seed)))


async def _once(one: stage.Stage, seed: int, count: int, patience_s: float, *, json: bool) -> bool:
    _cancel_on_signals()
    async with one.set_up() as set_up:
        with err.status(f"{count} calls") as line:
            await calls.place_all(set_up, calls.plan(seed, count))
            await all_final(set_up.parts, count, line.update, patience_s=patience_s)
            line.update("Comparing with the provider's log")
            verdict = judge(await gather(set_up), stage.TENANTS, stage.ACCOUNT_LIMIT)
        print_json(verdict.as_json()) if json else show(verdict)
        return verdict.holds


def _cancel_on_signals() -> None:
    """Let the demo be ended once: a second Ctrl-C must not break off its tidying up."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    pending = True

    def cancel() -> None:
        nonlocal pending
        if pending and task is not None:
            pending = False
            task.cancel()

    for number in ending_signals():
        loop.add_signal_handler(number, cancel)
