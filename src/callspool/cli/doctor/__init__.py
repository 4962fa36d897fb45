"""``callspool doctor``: is everything that callspool needs there and right? What to do where it is not."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Final

import typer

from callspool.cli.console import out, print_json
from callspool.cli.context import Data, Json, read_running, run
from callspool.cli.doctor import arrival, identity, outside, pages, parts
from callspool.cli.doctor.finding import Finding
from callspool.domain.errors import CallspoolError, Misconfigured, StoreUnavailable, VaultUnavailable
from callspool.wiring import Parts

_CHECKS: tuple[tuple[str, Callable[[Parts], Awaitable[Sequence[Finding]]]], ...] = (
    ("store", parts.store),
    ("valkey", parts.valkey),
    ("shards", parts.shards),
    ("vault", parts.vault),
    ("bucket", pages.bucket),
    ("disk", parts.disk),
    ("public address", arrival.public_address),
    ("accounts", outside.accounts),
    ("clock", outside.clock),
    ("spool", outside.spool),
    ("identity provider", identity.identity),
)

_WHAT_TO_DO: Final = {
    "valkey": "Start it with 'callspool up', or set CALLSPOOL_VALKEY_URL.",
    "shards": "Start it with 'callspool up', or set CALLSPOOL_VALKEY_URL.",
    "vault": "Check CALLSPOOL_VAULT_URL, its keys and rights, and the space behind it.",
    "store": "Check that the database runs, is not full, may be written to, and is whole; else restore a backup.",
}


def doctor(data: Data = None, json: Json = False) -> None:
    """Check store, Valkey, vault, bucket, disk, public address, accounts, clock, spool and identity provider."""
    settings = read_running(data)
    try:
        findings = run(settings, _examine)
    except (StoreUnavailable, VaultUnavailable, Misconfigured) as error:  # without them nothing can be opened
        name = "vault" if isinstance(error, VaultUnavailable) else "store"
        todo = "Mend what is named there." if isinstance(error, Misconfigured) else _WHAT_TO_DO[name]
        findings = [Finding(name, "error", str(error), todo)]
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        _show(findings)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


def _show(findings: Sequence[Finding]) -> None:
    marks = {"ok": "[green]ok     [/]", "warning": "[yellow]warning[/]", "error": "[red]error  [/]"}
    for one in findings:
        out.print(marks[one.level], end=" ")
        out.print(f"{one.check}: {one.seen}", markup=False)
        if one.do:
            out.print(f"        → {one.do}", markup=False)


async def _examine(opened: Parts) -> list[Finding]:
    findings: list[Finding] = []
    for name, check in _CHECKS:
        try:
            findings += await check(opened)
        except CallspoolError as error:
            findings.append(Finding(name, "error", str(error), _WHAT_TO_DO.get(name, "Mend what is named there.")))
    return findings
