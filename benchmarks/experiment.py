"""What a measurement is made of: experiments, each with its figures, and the bars that callspool's are held to."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from benchmarks.machine import Noise
from benchmarks.result import OURS, Figure, number
from benchmarks.run import Laboratory
from benchmarks.subject import BASELINE, SUBJECTS, Listed

QUICK_S: Final = 52.0
"""When a quick run begins nothing more, so that it ends within a minute."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    quick: bool = False
    runs: int | None = None
    subjects: tuple[str, ...] = ()
    """None named: all."""


@dataclass(slots=True)
class Context:
    """What an experiment works with."""

    lab: Laboratory
    options: Options
    tell: Callable[[str], None]
    _begun: float = field(default_factory=time.monotonic)

    def left_s(self) -> float:
        """Return the seconds that are left; a full run has all the time it needs."""
        return QUICK_S - (time.monotonic() - self._begun) if self.options.quick else float("inf")

    def subjects(self, quick: Sequence[str]) -> list[Listed]:
        """Return whom to measure; in a quick run callspool and *quick* only."""
        chosen = self.options.subjects or ((OURS, *quick) if self.options.quick else tuple(SUBJECTS))
        return [SUBJECTS[name] for name in SUBJECTS if name in chosen]

    def runs_of(self, subject: Listed, full: int = 5, quick: int = 1) -> int:
        """Return how often to measure: the peers less often, and once in a quick run."""
        if self.options.runs:
            return self.options.runs
        if self.options.quick:
            return quick if subject.name == OURS else 1
        if subject.name == BASELINE:
            return 1  # it sleeps for more than a minute
        return full if subject.name == OURS else max(1, full - 2)


@dataclass(frozen=True, slots=True)
class Experiment:
    """Runs that are made once and give several figures."""

    name: str
    titles: Mapping[str, str]
    """Figures by their names, which begin with the experiment's, with what people read."""
    measure: Callable[[Context], list[Figure]]


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure of callspool is held to."""

    text: str
    limit: float
    upper: bool = True
    """The value must not be above the limit; else not below it."""

    def judge(self, one: Figure, noise: Noise) -> Figure:
        """Return the figure with its bar, and whether it holds."""
        if one.value is None or one.min is None or one.max is None:
            return replace(one, bar=self.text, holds=None, why=one.note or "it was not measured")
        if one.value <= self.limit if self.upper else one.value >= self.limit:
            return replace(one, bar=self.text, holds=True)
        miss = f"{number(one.value)} {one.unit} against {number(self.limit)}"
        best = one.min / noise.slowdown if self.upper else one.max * noise.slowdown
        is_possible = best <= self.limit if self.upper else best >= self.limit
        if noise.is_quiet or not is_possible:
            return replace(one, bar=self.text, holds=False, why=miss)
        return replace(one, bar=self.text, holds=None, why=f"{miss}, on a noisy machine ({noise})")


def best_peer(figures: Sequence[Figure], name: str, *, lowest: bool = True) -> Figure | None:
    """Return the best figure of that name among the peers' runs that ended. What callspool replaces is no peer."""
    theirs = [
        one
        for one in figures
        if one.figure == name and one.subject not in (OURS, BASELINE) and one.value is not None and not one.note
    ]
    order = sorted(theirs, key=lambda one: one.value or 0.0)
    return (order[0] if lowest else order[-1]) if order else None
