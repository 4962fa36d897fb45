"""The one form of every result: what was measured, of whom, how far it spread, and whether its bar holds.

``python -m benchmarks NAME --json`` prints one of these a line; the table and docs/benchmarks.md are made from it.
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

OURS = "callspool"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of one subject: the median of its runs, the least and the most."""

    figure: str
    subject: str
    """``callspool``, or the peer and its version."""
    value: float | None
    """None: it could not be measured; ``note`` says why."""
    unit: str
    min: float | None
    max: float | None
    runs: int
    note: str = ""
    bar: str | None = None
    holds: bool | None = None
    why: str = ""
    """Why ``holds`` is None, or by how much it does not hold."""
    commit: str = ""
    machine: str = ""
    noise: str = ""

    def line(self) -> str:
        """Return it as one line of JSON. Peers have no bar, so they bear no ``bar`` and no ``holds``."""
        fields = asdict(self)
        if self.bar is None:
            fields = {name: value for name, value in fields.items() if name not in {"bar", "holds", "why"}}
        return json.dumps({name: _rounded(value) for name, value in fields.items() if value != ""})


def figure(name: str, subject: str, values: Sequence[float], unit: str, note: str = "") -> Figure:
    """Return the figure of a number of runs."""
    if not values:
        return Figure(name, subject, None, unit, None, None, 0, note or "it was not measured")
    return Figure(name, subject, statistics.median(values), unit, min(values), max(values), len(values), note)


def read(fields: Mapping[str, Any]) -> Figure:
    """Return the figure that a line's JSON holds."""
    return Figure(**fields)


def table(figures: Sequence[Figure], titles: Mapping[str, str]) -> Group:
    """Return what people read: a heading a figure, a row a subject, and beneath it the bar."""
    parts: list[RenderableType] = []
    for name in dict.fromkeys(one.figure for one in figures):
        rows = Table.grid(padding=(0, 2))
        for justify, width in (("left", 25), ("right", 8), ("left", 8), ("right", 18)):
            rows.add_column(justify=justify, width=width)  # type: ignore[arg-type]
        its = [one for one in figures if one.figure == name]
        for one in its:
            subject = f"  [bold]{one.subject}[/bold]" if one.subject == OURS else f"  {one.subject}"
            rows.add_row(
                subject, number(one.value), one.unit, _spread(one), f"{one.runs} runs" if one.runs != 1 else ""
            )
        parts += ["", f"[bold cyan]{titles.get(name, name)}[/bold cyan]", rows]
        parts += [f"  {verdict(one)}" for one in its if one.bar is not None]
        parts += [f"  {one.subject}: {one.note}" for one in its if one.bar is None and one.note]
    return Group(*parts)


def _spread(one: Figure) -> str:
    if one.min is None or one.max is None or one.runs < 2:
        return ""
    return f"{number(one.min)} to {number(one.max)}"


def verdict(one: Figure) -> str:
    """Say in one phrase how a figure stands to its bar."""
    word = {True: "[green]holds[/green]", False: "[red]does not hold[/red]", None: "[yellow]not known[/yellow]"}
    reason = f" ({one.why})" if one.why else ""
    return f"{word[one.holds]}: {one.bar}{reason}"


def number(value: float | None) -> str:
    """Return a number with three figures that count."""
    if value is None:
        return "-"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"


def _rounded(value: object) -> object:
    return float(f"{value:.6g}") if isinstance(value, float) else value
