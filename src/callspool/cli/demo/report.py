"""Prints a verdict for a person."""

from typing import Final

from callspool.cli.console import out, print_table
from callspool.cli.demo.judgement import Verdict

_LINES: Final = 20
_SAYS: Final = {
    "I1": "never more downloads at once than slots",
    "I2": "nothing that was acknowledged is lost",
    "I3": "stored and served bytes are the provider's",
}


def show(verdict: Verdict) -> None:
    """Print the tenants' figures, then each invariant."""
    rows = [
        (
            *(one.tenant, one.kept, ", ".join(f"{n} {reason}" for reason, n in one.failed.items()) or None),
            *(f"{one.most_at_once}/{one.slots}", one.median_s, one.p95_s, one.bytes),
        )
        for one in verdict.tenants
    ]
    print_table("", ("tenant", "kept", "failed", "at once", "median s", "p95 s", "bytes"), rows)
    out.print(
        f"{verdict.bytes} bytes kept; {verdict.duplicates} duplicate downloads; "
        f"the account had at most {verdict.account_most_at_once} of {verdict.account_limit} downloads at once."
    )
    for name, found in verdict.broken.items():
        mark = "[red]broken[/]" if found else "[green]holds[/] "
        out.print(f"{name} {mark} {_SAYS[name]}")
        for line in found[:_LINES]:
            out.print(f"   {line}", markup=False)
        if len(found) > _LINES:
            out.print(f"   and {len(found) - _LINES} more")
