"""``python -m benchmarks NAME [--quick] [--only FIGURE] [--json]``: runs the measurements of one part.

``python -m benchmarks report [RESULTS...]`` writes docs/benchmarks.md from what ``--json`` printed.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks import report
from benchmarks.experiment import Context, Experiment, Options
from benchmarks.machine import commit, machine
from benchmarks.result import Figure, table
from benchmarks.run import Laboratory

MEASUREMENTS: Final[Mapping[str, str]] = {
    "slots": "benchmarks.slots",
    "datapath": "benchmarks.datapath",
    "player": "benchmarks.player",
}
"""What can be measured: a name, and the module whose ``EXPERIMENTS`` are run on its ``SUBJECTS``."""
_REPORT: Final = "report"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return the exit status: 2 where the question makes no sense."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.name == _REPORT:
        return _report(parser, given.results or report.kept())
    if given.results:
        parser.error(f"{given.name} takes no files: {given.results[0]}")
    module = import_module(MEASUREMENTS[given.name])
    experiments: Sequence[Experiment] = module.EXPERIMENTS
    chosen = [one for one in experiments if _is_asked(one, given.only)]
    if not chosen:
        figures = ", ".join(name for one in experiments for name in (one.name, *one.titles))
        print(f"There is no figure {given.only!r} in {given.name}. There are: {figures}", file=sys.stderr)
        return 2
    if unknown := sorted(set(given.subjects) - set(module.SUBJECTS)):
        print(f"There is no subject {unknown[0]!r}. There are: {', '.join(module.SUBJECTS)}", file=sys.stderr)
        return 2
    _run(chosen, given)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=[*MEASUREMENTS, _REPORT], help="what to measure")
    parser.add_argument(
        "results",
        nargs="*",
        type=Path,
        help="for report: files with what --json printed, instead of docs/benchmarks/*.jsonl",
    )
    parser.add_argument("--quick", action="store_true", help="end within 60 s: fewer runs, only the best of the peers")
    parser.add_argument(
        "--only", metavar="FIGURE", help="one figure, or all whose names begin so (the part before a dot)"
    )
    parser.add_argument("--subjects", type=_names, default=(), metavar="A,B", help="only these, instead of all")
    parser.add_argument("--runs", type=int, help="how often to measure each")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    return parser


def _report(parser: argparse.ArgumentParser, results: Sequence[Path]) -> int:
    if not results:
        parser.error("report needs at least one file with what --json printed")
    if missing := [path for path in results if not path.is_file()]:
        parser.error(f"there is no file {missing[0]}")
    print(f"wrote {report.write(results)}")
    return 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _is_asked(one: Experiment, only: str | None) -> bool:
    return any(_is_of(name, only) for name in (one.name, *one.titles))


def _is_of(figure: str, only: str | None) -> bool:
    return only is None or figure == only or figure.startswith(f"{only}.")


def _run(experiments: Sequence[Experiment], given: argparse.Namespace) -> None:
    console = Console(stderr=True)
    of_commit, on_machine = commit(), machine()
    found: list[Figure] = []
    lab = Laboratory()
    with console.status("") as status:
        options = Options(given.quick, given.runs, given.subjects)
        context = Context(lab, options, lambda what: status.update(f"measuring {what}"))
        try:
            for experiment in experiments:
                for figure in experiment.measure(context):
                    if given.only == experiment.name or _is_of(figure.figure, given.only):
                        found.append(replace(figure, commit=of_commit, machine=on_machine))
                        if given.json:
                            print(found[-1].line(), flush=True)
        finally:
            lab.close()
    if not given.json:
        titles = {name: title for one in experiments for name, title in one.titles.items()}
        Console().print(table(found, titles))
        Console().print(f"commit {of_commit}; {on_machine}")


if __name__ == "__main__":
    sys.exit(main())
