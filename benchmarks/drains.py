"""How experiments are run in which every subject gets the same tasks.

Runs of the subjects take turns, so that a busy minute of the machine meets all of them. A subject that fails, or
does not end, is not run again; its figures say why.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from benchmarks.experiment import Bar, Context, Experiment
from benchmarks.journal import Kind
from benchmarks.machine import Noise
from benchmarks.result import OURS, Figure, figure
from benchmarks.run import DidNotRun, Laboratory, Observation
from benchmarks.servers import Unavailable
from benchmarks.subject import Listed
from benchmarks.workload import Workload

_LIMIT_S: Final = 90.0
_LEAST_S: Final = 5.0
"""With less time left a run is not begun."""

Measure = Callable[[Observation, Workload], float]
Run = Callable[[Laboratory, Listed, Workload, Noise, float], Observation]


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure of a drain."""

    name: str
    title: str
    unit: str
    of: Measure
    bar: Callable[[Sequence[Figure]], Bar | None] = lambda figures: None


@dataclass(slots=True)
class _Runs:
    """What one subject's runs gave."""

    subject: Listed
    noise: Noise = field(default_factory=Noise)
    values: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""
    failed: bool = False


def drain(
    load: Workload,
    measured: Sequence[Measured],
    *,
    name: str | None = None,
    quick: Sequence[str] = (),
    quick_runs: int = 1,
    only: Collection[str] | None = None,
    run: Run = Laboratory.drain,
) -> Experiment:
    """Return the experiment that gives each subject (or *only* these) a workload.

    In a quick run *quick* are the peers, and callspool has *quick_runs*.
    """

    def measure(context: Context) -> list[Figure]:
        subjects = context.subjects(quick)
        of_all = [_Runs(subject) for subject in subjects if only is None or subject.name in only]
        runs = {one.subject.name: context.runs_of(one.subject, quick=quick_runs) for one in of_all}
        for number in range(max(runs.values(), default=0)):
            for one in of_all:
                if number < runs[one.subject.name] and not one.failed:
                    _once(context, one, load, measured, run)
        return _collect(of_all, measured)

    return Experiment(name or load.name, {one.name: one.title for one in measured}, measure)


def _once(context: Context, of: _Runs, load: Workload, measured: Sequence[Measured], run: Run) -> None:
    if of.subject.missing:
        of.note, of.failed = of.subject.missing, True
        return
    limit_s = min(_LIMIT_S, context.left_s())
    if limit_s < _LEAST_S:
        of.note = of.note or ("" if of.values else "no time was left for it in this quick run")
        return
    context.tell(f"{load.name}, {load.seats} seats: {of.subject.title}")
    try:
        seen = run(context.lab, of.subject, load, of.noise, limit_s)
    except (DidNotRun, Unavailable) as error:
        of.note, of.failed = f"did not run: {error}", True
        return
    if not seen.finished:
        of.note, of.failed = f"not done in {limit_s:.0f} s; it was ended there", True
    if dropped := sum(event.kind is Kind.DROP for event in seen.events):
        of.note = f"{dropped} of {len(load.tasks)} jobs were dropped"
    for one in measured:
        of.values.setdefault(one.name, []).append(one.of(seen, load))


def _collect(runs: Sequence[_Runs], measured: Sequence[Measured]) -> list[Figure]:
    """Return the figures, callspool's with their bars."""
    found: list[Figure] = []
    for one in measured:
        of_all = [
            replace(
                figure(one.name, run.subject.title, run.values.get(one.name, []), one.unit, run.note),
                noise=str(run.noise),
            )
            for run in runs
        ]
        bar = one.bar(of_all)
        for run, its in zip(runs, of_all, strict=True):
            found.append(bar.judge(its, run.noise) if bar and run.subject.name == OURS else its)
    return found
