"""``python -m chaos [--seeds N] [--seed N] [--seconds S] [--json]``: fault runs; exits 1 where an invariant broke."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence

from rich.console import Console

from chaos.checks import CHECKS
from chaos.plan import plan
from chaos.run import Result, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the seeds one after the other; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many: 1, 2, …")
    parser.add_argument("--seed", type=int, help="only this one, as when it failed")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long faults go on in each")
    parser.add_argument("--json", action="store_true", help="print one JSON object a seed")
    given = parser.parse_args(arguments)
    if given.seeds < 1 or given.seconds <= 0:
        parser.error("--seeds and --seconds are more than 0")
    seeds = [given.seed] if given.seed is not None else range(1, given.seeds + 1)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is ended
    holds = True
    for seed in seeds:
        result = asyncio.run(run(plan(seed, given.seconds)))
        holds &= result.holds
        if given.json:
            print(json.dumps(result.as_json()), flush=True)
        else:
            _show(result, Console())
    return 0 if holds else 1


def _show(result: Result, console: Console) -> None:
    of = result.plan
    console.print(
        f"seed {of.seed}: {of.seconds:g} s on {of.database} and {of.vault}, {of.actions} actions, "
        f"{result.recordings} recordings, {result.ready} ready"
    )
    for name, check in CHECKS.items():
        broken = result.broken[name]
        says = (check.__doc__ or "").removeprefix(f"{name}: ")
        console.print(f"  {name} {'[red]broken[/]' if broken else '[green]held  [/]'} {says}", highlight=False)
        for line in broken[:10]:
            console.print(f"       {line}", markup=False, highlight=False)
    if result.logs:
        again = f"python -m chaos --seed {of.seed} --seconds {of.seconds:g}"
        console.print(f"  Logs are in {result.logs}. Again: {again}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
