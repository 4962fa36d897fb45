"""Writes docs/benchmarks.md and its charts from the results of a run, so that no number is ever typed by hand."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import slots
from benchmarks.result import OURS, Figure, number, read
from benchmarks.subject import SUBJECTS
from benchmarks.svg import Bar, bars

_DOCS: Final = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True, slots=True)
class _Part:
    """One workload: what the page says of it, its figures, and those that are drawn with their bound."""

    title: str
    words: str
    figures: tuple[str, ...]
    drawn: Mapping[str, tuple[float, str] | None]


_PARTS: Final = (
    _Part(
        "W1: a skewed drain",
        "Tenant 0 has 200 jobs, 19 tenants have 10 each, put in in that order before the worker starts. A job holds "
        "its slot for 50 ms, a tenant has 3 slots, the worker 32 seats. The slots alone allow 200 x 0.05 / 3 = "
        "3.33 s. While all 20 tenants are busy a fair share of 32 seats is 1.6 for each, so with 32 seats the fair "
        "bound is 3.48 s. The clock runs from the first job's start. A small tenant is one with at most 10 jobs; its "
        "wait is from the first start of all to its own. Processor time is that of worker and server from the first "
        "start to the last end.",
        ("w1.makespan", "w1.small_wait", "w1.small_wait_p95", "w1.wasted_tries", "w1.most_at_once", "w1.cpu"),
        {"w1.makespan": (3.48, "fair bound 3.48 s"), "w1.small_wait": None, "w1.cpu": None},
    ),
    _Part(
        "W1 with 64 seats",
        "The same with seats for all: the bound is 3.33 s.",
        ("w1-64.makespan",),
        {"w1-64.makespan": (10 / 3, "physical bound 3.33 s")},
    ),
    _Part(
        "W1b: uneven jobs, uneven tenants",
        "About 400 jobs of 30 tenants by Zipf's law, the large tenants' first, with log-normal services (median "
        "41 ms, at most 0.6 s), 32 seats. The bound is what slots, seats and the longest job allow, whatever the "
        "order.",
        ("w1b.makespan", "w1b.small_wait", "w1b.small_wait_p95", "w1b.wasted_tries", "w1b.most_at_once", "w1b.cpu"),
        {"w1b.makespan": (1.0, "bound"), "w1b.small_wait": None},
    ),
    _Part(
        "W2: jobs without work",
        "5,000 jobs that do nothing, of 1,000 tenants, put in before one worker process with 64 seats starts. "
        "callspool holds every tenant to its slots; the peers are spared their limits first, and held to them in the "
        "column *with limits*. Submits are measured "
        "twice: by the fastest way that the subject offers (one call for many, where it has one), and one after the "
        "other, each with a call of its own. With 1,000 seats, which no worker with real work has, pgqueuer is "
        "measured too, since it gains by it.",
        ("w2.jobs", "w2-limited.jobs", "w2-wide.jobs", "w2.submits", "w2-singly.submits"),
        {"w2.jobs": None, "w2-limited.jobs": None, "w2.submits": None, "w2-singly.submits": None},
    ),
    _Part(
        "W3: kill -9",
        "The worker runs 8 jobs and is killed with signal 9 while another worker is idle. The time is from the kill "
        "until all 8 run again. callspool's lease is set to 5 s; the peers have their default limits, and are given "
        "150 s.",
        ("w3.recovery",),
        {"w3.recovery": (6.0, "lease time and 1 s")},
    ),
    _Part(
        "Hand-off",
        "4 tenants keep their 3 slots busy with jobs of 40 to 60 ms, while 20 of 32 seats are free. The time is from "
        "a job's end to the start of the one that gets its slot.",
        ("handoff.p50", "handoff.p99"),
        {"handoff.p50": (2.0, "2 ms"), "handoff.p99": (10.0, "10 ms")},
    ),
    _Part(
        "Growth",
        "The time that the server itself takes for one submit (by batches of 500), one call that claims one job, and "
        "one that settles one, as tenants and queued jobs become many; and the memory that a queued job takes. Only "
        "callspool.",
        tuple(name for one in slots.EXPERIMENTS if one.name == "growth" for name in one.titles),
        {},
    ),
)


def write(results: Sequence[Path], docs: Path = _DOCS) -> Path:
    """Write the page and its charts from files of JSON lines; return where the page is."""
    figures = [
        read(json.loads(line))
        for path in results
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    charts = docs / "benchmarks"
    charts.mkdir(exist_ok=True)
    titles = {name: title for one in slots.EXPERIMENTS for name, title in one.titles.items()}
    parts = [_head(figures), _bars(figures, titles)]
    for part in _PARTS:
        its = [one for one in figures if one.figure in part.figures]
        if its:
            parts += [f"## {part.title}", _fill(part.words), _table(its, part.figures, titles)]
            parts += _charts(charts, its, part, titles)
    growth = [one for one in figures if one.figure.startswith("growth.") and one.unit == "us"]
    if growth:
        parts.append(_growth_chart(charts, growth, titles))
    page = docs / "benchmarks.md"
    page.write_text("\n\n".join([*parts, _subjects(figures), _how_to_run()]) + "\n", encoding="utf-8")
    return page


def _fill(words: str) -> str:
    return textwrap.fill(words, 118, break_on_hyphens=False)


def _head(figures: Sequence[Figure]) -> str:
    commits = sorted({one.commit for one in figures if one.commit})
    machines = sorted({one.machine for one in figures if one.machine})
    words = (
        "What the scheduler reaches, beside seven queues that a Python team would pick and beside the algorithm that "
        "it replaces. All were measured in turns in the same run, each in processes of its own, on loopback, with "
        "Valkey (append-only file, written each second) or PostgreSQL (`synchronous_commit = off`) on a unix socket. "
        "Values are medians; in brackets the least and the most of the runs. "
        "The sleeping worker, which pushes bare numbers on a list, is not counted among the peers."
    )
    told = f"Commit {', '.join(commits)}; {'; '.join(machines)}. A `+` means that the source differed from the commit."
    return (
        "# Benchmarks of the scheduler\n\n"
        "<!-- written by `python -m benchmarks report`: do not edit -->\n\n"
        f"{_fill(words)}\n\n{_fill(told)}"
    )


def _bars(figures: Sequence[Figure], titles: Mapping[str, str]) -> str:
    rows = [
        f"| {titles.get(one.figure, one.figure)} | {_value(one)} {one.unit} | {one.bar} | {_verdict(one)} |"
        for one in figures
        if one.bar is not None
    ]
    words = "What callspool is held to. *Too noisy* means: the bar was missed, but the machine was not quiet enough."
    return "\n".join([f"## The bars\n\n{words}\n", "| figure | value | bar | |", "| --- | --- | --- | --- |", *rows])


def _verdict(one: Figure) -> str:
    if one.holds is None:
        return f"too noisy: {one.why}" if one.value is not None else one.why
    return "holds" if one.holds else f"**does not hold**: {one.why}"


def _table(figures: Sequence[Figure], names: Sequence[str], titles: Mapping[str, str]) -> str:
    if names[0].startswith("growth."):
        rows = [f"| {titles[one.figure]} | {_value(one)} {one.unit} |" for one in figures]
        return "\n".join(["| | callspool |", "| --- | --- |", *rows])
    subjects = list(dict.fromkeys(one.subject for one in figures))
    units = {one.figure: one.unit for one in figures}
    heads = [_heading(titles[name], units.get(name, "")) for name in names]
    lines = [f"| | {' | '.join(heads)} | runs |", "| --- |" + " --- |" * (len(heads) + 1)]
    for subject in subjects:
        mine = {one.figure: one for one in figures if one.subject == subject}
        cells = [_value(mine[name]) if name in mine else "" for name in names]
        runs = max(one.runs for one in mine.values())
        notes = {one.note for one in mine.values() if one.note}
        said = f" ({'; '.join(sorted(notes))})" if notes else ""
        name = f"**{subject}**" if subject == OURS else subject
        lines.append(f"| {name}{said} | {' | '.join(cells)} | {runs} |")
    noise = sorted({one.noise for one in figures if one.noise and one.subject == OURS})
    told = f"\n\nNoise while callspool was measured: {noise[0]}." if noise else ""
    return "\n".join(lines) + told


def _heading(title: str, unit: str) -> str:
    short = title.partition(": ")[2] or title
    for setting in ("1,000 seats", "with limits"):
        short = f"{short}, {setting}" if setting in title else short
    return short if unit in {"x bound", "tries", "jobs"} else f"{short}, {unit}"


def _value(one: Figure) -> str:
    if one.value is None:
        return "-"
    if one.min is None or one.max is None or one.min == one.max:
        return number(one.value)
    return f"{number(one.value)} ({number(one.min)} to {number(one.max)})"


def _charts(folder: Path, figures: Sequence[Figure], part: _Part, titles: Mapping[str, str]) -> list[str]:
    made: list[str] = []
    for name, mark in part.drawn.items():
        its = [one for one in figures if one.figure == name]
        rows = [Bar(one.subject, one.value, one.min, one.max, one.subject == OURS, one.note) for one in its]
        line, label = mark or (None, "")
        drawing = bars(titles[name], its[0].unit if its else "", rows, mark=line, mark_label=label)
        made.append(_save(folder, name, drawing, titles[name]))
    return made


def _growth_chart(folder: Path, figures: Sequence[Figure], titles: Mapping[str, str]) -> str:
    rows = [Bar(_short(titles[one.figure]), one.value, one.min, one.max, ours=True) for one in figures]
    title = "time of the server for one operation"
    return _save(folder, "growth", bars(title, "us", rows), title)


def _short(title: str) -> str:
    return title.partition(": ")[2].partition(" tenants")[0] + " tenants"


def _save(folder: Path, name: str, drawing: str, title: str) -> str:
    file = folder / f"{name.replace('.', '-')}.svg"
    file.write_text(drawing, encoding="utf-8")
    return f"![{title}]({folder.name}/{file.name})"


def _subjects(figures: Sequence[Figure]) -> str:
    seen = list(dict.fromkeys(one.subject for one in figures))
    parts = ["## How each is set up"]
    for subject in seen:
        listed = SUBJECTS.get(subject) or SUBJECTS.get(subject.rpartition(" ")[0])
        if listed:
            parts.append(f"**{subject}** ({listed.server.value}). {listed.how}")
    return "\n\n".join(parts)


def _how_to_run() -> str:
    return """## How to run it

```
make bench                                    # everything, about half an hour
make bench ARGS="--quick"                     # within a minute: fewer runs, only the best of the peers
.venv/bin/python -m benchmarks slots --only w1.makespan --json
.venv/bin/python -m benchmarks slots --json > results.jsonl
.venv/bin/python -m benchmarks report results.jsonl
```

`--json` prints one object a line: `figure`, `subject`, `value` (the median), `unit`, `min`, `max`, `runs`; for
callspool also `bar` and `holds`: true, false, or null where the machine was too noisy to say, with `why`. Around each
run a fixed loop is timed, and the processor time that others took meanwhile is counted: a bar that is missed by no
more than that may explain is neither held nor broken. Two files can be given to `report`, one after the other."""
