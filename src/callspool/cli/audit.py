"""``callspool audit``: who changed what, who listened, and that nobody changed the log."""

from dataclasses import asdict
from typing import Annotated

import typer

from callspool.cli.console import err, out, print_json, print_table
from callspool.cli.context import Data, Json, read_settings, run
from callspool.domain.audit import AuditKind
from callspool.domain.errors import InvalidInput

app = typer.Typer(
    help="Who changed what, who listened. Entries are chained: none can be altered unseen.", no_args_is_help=True
)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    only: Annotated[AuditKind | None, typer.Option(help="Only who changed what, or only who listened.")] = None,
    before: Annotated[int | None, typer.Option(help="Only entries with a number below this.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List the newest entries. JSON has their details too."""
    entries = run(read_settings(data), lambda parts: parts.store.audit_log(before, limit=limit, only=only))
    if json:
        print_json([asdict(entry) for entry in entries])
        return
    rows = [(entry.seq, f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.actor, entry.action, entry.target) for entry in entries]
    columns = ("number", "when (UTC)", "who", "what", "to what")
    print_table("Audit log", columns, rows) if rows else out.print("Nothing has been written to it yet.")


@app.command()
def verify(
    anchor: Annotated[
        str | None, typer.Option(metavar="NUMBER:HASH", help="The end of the log as it was noted elsewhere.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Follow the chain from its first entry to its last; fail at the first that is not what was written."""
    verdict = run(read_settings(data), lambda parts: parts.store.audit_verify(_anchor(anchor)))
    if json:
        print_json(asdict(verdict))
    elif verdict.broken is None:
        out.print(f"All {verdict.entries} entries are as they were written. Note this somewhere else: {verdict.head}")
    else:
        err.print(
            f"[bold red]callspool:[/] The audit log is broken: {verdict.why}. The {verdict.entries} entries before it "
            "are as they were written. Compare with a backup; whoever can write the database may have done it."
        )
    raise typer.Exit(0 if verdict.broken is None else 1)


def _anchor(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    number, _, digest = text.partition(":")
    if not number.isdecimal() or len(digest) != 64:
        raise InvalidInput(
            "anchor", f"'{text}' is no end of a log: NUMBER:HASH, as 'callspool audit verify' prints it."
        )
    return int(number), digest
