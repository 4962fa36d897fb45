"""``callspool secrets``: another key for what the database keeps sealed."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from callspool.cli.console import err, out, print_json
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.domain.errors import Conflict
from callspool.wiring import Parts, key_file

app = typer.Typer(help="The secret key that seals credentials in the database.", no_args_is_help=True)


_MARGIN: Final = timedelta(minutes=1)
"""Servers that have not looked yet go on signing with the old one for a moment."""


class Step(StrEnum):
    """One of the three."""

    ADD = "add"
    SEAL = "seal"
    RETIRE = "retire"


@app.command()
def rotate(
    step: Annotated[
        Step | None,
        typer.Option(help="Do one step only: where machines have copies of the key file, carry it to them after each."),
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Put a new secret key before the old one, seal everything with it, then retire the old one.

    Running processes read the file anew and go on. A run that was broken off is simply run again.
    """
    settings = read_settings(data)
    keys = key_file(settings)
    resealed, retired = 0, ""
    if step in (None, Step.ADD) and len(keys()) == 1:
        keys.add()
    if len(keys()) == 1:
        raise Conflict("There is no new key yet. Begin with 'callspool secrets rotate --step add'.")
    if step in (None, Step.SEAL, Step.RETIRE):
        # Also before the old key goes: what was sealed with it meanwhile.
        resealed = run(settings, _seal)
    if step in (None, Step.RETIRE):
        retired = str(keys.retire())
    if json:
        print_json({"keys": len(keys()), "resealed": resealed, "retired": retired or None})
    elif retired:
        out.print(f"{resealed} values were sealed anew. Old backups of the database need the old key: {retired}")
    elif step is Step.ADD:
        out.print(
            f"{keys.path} has a new key first. Give it to all machines, then: callspool secrets rotate --step seal"
        )
    else:
        out.print(f"{resealed} values were sealed anew. Then: callspool secrets rotate --step retire")


@app.command("rotate-links")
def rotate_links(
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Let all links that were given out end now: the key is known to others.")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Let another key sign playback links. Those that were given out play until their time is over."""
    settings = read_settings(data)
    overlap = timedelta() if at_once else settings.playback_ttl + _MARGIN
    run(settings, lambda parts: parts.store.rotate_link_key(overlap, by=by_hand()))
    if json:
        print_json({"older_links_hold_s": overlap.total_seconds()})
    else:
        rest = "end within seconds" if at_once else "play until their time is over"
        out.print(f"Links are signed with another key, in running servers within seconds. Older ones {rest}.")


async def _seal(parts: Parts) -> int:
    columns = (TextColumn("Sealing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        bar = progress.add_task("seal", total=None)
        return await parts.store.reseal(
            lambda done, total: progress.update(bar, completed=done, total=total), by=by_hand()
        )
