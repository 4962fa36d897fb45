"""What every command shares: its settings, and a way to run asynchronous work on open parts."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from callspool.cli.folder import as_published, require
from callspool.domain.audit import By
from callspool.settings import Settings
from callspool.telemetry import configure_logging
from callspool.wiring import Parts, open_parts

T = TypeVar("T")

Data = Annotated[
    Path | None,
    typer.Option("--data", help="The data folder. Also CALLSPOOL_DATA.", show_default="callspool-data"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


def read_settings(data: Path | None, **given: object) -> Settings:
    """Read the settings, with the command's own options on top, and set up the log."""
    if data is not None:
        given["data"] = data
    settings = Settings.read(None, **given)
    configure_logging(level=settings.log_level, form=settings.log_format)
    return settings


def read_running(data: Path | None) -> Settings:
    """Read the settings of what runs on the data folder: with the address that it really has."""
    return as_published(read_settings(data))


def by_hand() -> By:
    """Return what the audit log says of who uses this command line."""
    return By(f"cli:{getpass.getuser()}")


def run(settings: Settings, work: Callable[[Parts], Awaitable[T]], *, may_create: bool = False) -> T:
    """Open the parts, do the work, close them.

    Raises `Misconfigured` where there is no callspool in the data folder, unless the command *may_create* one.
    """
    if not may_create:
        require(settings)

    async def opened() -> T:
        async with open_parts(settings) as parts:
            return await work(parts)

    return asyncio.run(opened())
