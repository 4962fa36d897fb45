"""What the command line prints: results to standard output, everything else to standard error."""

import contextlib
import json
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from callspool.domain.errors import CallspoolError, NotFound, Unavailable
from callspool.redaction import redact

_WIDE: Final = 1000

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one JSON document on one line."""
    sys.stdout.write(json.dumps(value, default=_as_json) + "\n")
    sys.stdout.flush()


def _as_json(value: object) -> str:
    """Write a time as programs read it (ISO 8601); the rest has its own text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; figures to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        figures = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        table.add_column(column, justify="right" if figures else "left", no_wrap=True)
    for row in rows:
        table.add_row(*("–" if cell is None else str(cell) for cell in row))
    # Into a pipe nothing is cut: there is no window that it must fit.
    out.print(table, width=None if out.is_terminal else _WIDE)


def explain(error: CallspoolError) -> None:
    """Say on one line what was wrong, and what to do where the message does not."""
    hint = ""
    if isinstance(error, Unavailable):
        hint = " Is 'callspool up' running on this data folder? 'callspool doctor' tells more."
    elif isinstance(error, NotFound) and not str(error):
        hint = " No such thing."
    err.print(f"[bold red]callspool:[/] {_plain(str(error) + hint)}")


def explain_unexpected(error: BaseException, *, debug: bool) -> None:
    """Say on one line that callspool has a fault, and where its details are; with *debug* they come before it."""
    details = redact("".join(traceback.format_exception(error)))
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    where = "The details stand above."
    if debug:
        sys.stderr.write(details)
    else:
        where = "Run it again as 'callspool --debug …' for the details."
        with contextlib.suppress(OSError):
            descriptor, name = tempfile.mkstemp(prefix="callspool-error-", suffix=".txt")
            with os.fdopen(descriptor, "w") as file:
                file.write(details)
            where = f"The details are in {name}; please report them."
    said = redact(f"{type(error).__name__}: {error}".splitlines()[0])
    err.print(f"[bold red]callspool:[/] {_plain(f'This should not happen ({said}). {where}')}")


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def masked(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return *mapping* without what must not be shown."""
    hidden = {
        "auth_token",
        "previous_auth_token",
        "api_secret",
        "secret_sha256",
        "private_keys",
        "signing_key",
        "secret",
        "previous_secret",
    }
    return {name: value for name, value in mapping.items() if name not in hidden}
