"""A quick run ends: what there is no time for is given as not measured. How long it takes is not tested here."""

import json
from dataclasses import dataclass, field

import pytest
from benchmarks import experiment, slots
from benchmarks.__main__ import main
from benchmarks.drains import Measured, drain
from benchmarks.experiment import QUICK_S, Context, Options
from benchmarks.machine import Noise
from benchmarks.result import OURS
from benchmarks.run import Laboratory, Observation
from benchmarks.subject import Listed
from benchmarks.workload import Task, Workload

LOAD = Workload("made", (Task(0, 0, 0.0),), slots=1)
NO_TIME = "no time was left for it in this quick run"


def test_a_quick_run_without_time_gives_every_figure_as_not_measured_and_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(experiment, "QUICK_S", 0.0)

    status = main(["slots", "--quick", "--json", "--subjects", OURS])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == 0
    assert {line["figure"].split(".")[0] for line in lines} == {one.name for one in slots.EXPERIMENTS}
    assert {(line["value"], line["runs"], line["note"]) for line in lines} == {(None, 0, NO_TIME)}
    assert all(line.get("holds") is None for line in lines)


@dataclass
class Clockwork:
    """A subject's run that takes so long, without a wait."""

    took_s: float
    context: Context
    limits_s: list[float] = field(default_factory=list)

    def run(self, lab: Laboratory, subject: Listed, load: Workload, noise: Noise, limit_s: float) -> Observation:
        self.limits_s.append(limit_s)
        self.context._begun -= self.took_s
        return Observation((), 1.0, 0.0, finished=self.took_s <= limit_s)


def made(took_s: float, *, quick: bool, runs: int = 5) -> tuple[Clockwork, list[float | str | None]]:
    """Measure one figure of callspool in runs that take so long; return them, and value, number and note."""
    context = Context(Laboratory(), Options(quick=quick, runs=runs, subjects=(OURS,)), lambda what: None)
    clockwork = Clockwork(took_s, context)
    one = Measured("made.figure", "made", "s", lambda seen, load: seen.submit_s)
    (found,) = drain(LOAD, [one], run=clockwork.run).measure(context)
    return clockwork, [found.value, found.runs, found.note]


def test_no_run_begins_with_less_than_five_seconds_left() -> None:
    clockwork, found = made(16.0, quick=True)

    assert [round(left) for left in clockwork.limits_s] == [QUICK_S, QUICK_S - 16, QUICK_S - 32]
    assert found == [1.0, 3, ""]


def test_a_run_is_ended_when_the_time_is_over_and_says_so() -> None:
    clockwork, found = made(60.0, quick=True)

    assert len(clockwork.limits_s) == 1
    assert found == [1.0, 1, f"not done in {QUICK_S:.0f} s; it was ended there"]


def test_a_full_run_has_all_the_time_it_needs() -> None:
    clockwork, found = made(80.0, quick=False)

    assert clockwork.limits_s == [90.0] * 5
    assert found == [1.0, 5, ""]
