"""The tree of commands. A command's module is imported when the command is asked for, so that each starts quickly."""

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

COMMANDS: Final[Mapping[str, str]] = {
    "up": "up:up",
    "serve": "serve:serve",
    "worker": "worker:worker",
    "demo": "demo:demo",
    "status": "status:status",
    "fetch": "recordings:fetch",
    "retry": "recordings:retry",
    "purge": "recordings:purge",
    "scrub": "recordings:scrub",
    "tombstones": "tombstones:app",
    "hold": "holds:app",
    "why": "recordings:why",
    "backfill": "backfill:backfill",
    "completeness": "backfill:completeness",
    "drain": "drain:drain",
    "doctor": "doctor:doctor",
    "tenants": "tenants:app",
    "accounts": "accounts:app",
    "keys": "keys:app",
    "audit": "audit:app",
    "webhooks": "webhooks:app",
    "users": "users:app",
    "secrets": "secrets:app",
}
"""Where each command stands in this package: its module, and its function, or the group of those below it."""


class Commands(TyperGroup):
    """The commands, in the order in which help shows them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return their names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        found = getattr(import_module(f"callspool.cli.{module}"), name)
        if isinstance(found, typer.Typer):
            command: Any = get_group(found)
        else:
            alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            alone.command(cmd_name)(found)
            command = get_command(alone)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=Commands,
    name="callspool",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"callspool {version('callspool')}")
        raise typer.Exit


@app.callback()
def callspool(
    context: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback where callspool itself is at fault.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version, and end.")
    ] = False,
) -> None:
    """Every call recording: fetched once, kept safe, played at once."""
    context.ensure_object(dict)["debug"] = debug
