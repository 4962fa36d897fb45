"""Writes docs/benchmarks.md and its charts from the results of a run, so that no number is ever typed by hand."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks import datapath, player, slots
from benchmarks.parts import DATAPATH, PLAYER, SLOTS, Part
from benchmarks.result import OURS, Figure, number, read
from benchmarks.subject import SUBJECTS
from benchmarks.svg import Bar, bars

_DOCS: Final = Path(__file__).parents[1] / "docs"
_EXPERIMENTS: Final = (*slots.EXPERIMENTS, *datapath.EXPERIMENTS, *player.EXPERIMENTS)
_WORDS: Final = (
    "Everything is measured beside its peers in turns in the same run, each in processes of its own, on loopback. "
    "Values are medians; in brackets the least and the most of the runs."
)
_SCHEDULER: Final = (
    "Beside seven queues that a Python team would pick and beside the algorithm that it replaces, with Valkey "
    "(append-only file, written each second) or PostgreSQL (`synchronous_commit = off`) on a unix socket. The sleeping "
    "worker, which pushes bare numbers on a list, is not counted among the peers."
)
_DATAPATH: Final = (
    "From the provider's first byte to the disk, to the proof, and to the ear. Where callspool stands against a peer, "
    "the ratio is that of runs that followed each other, so a busy minute of the machine meets both."
)
_PLAYER: Final = "What a page loads and waits for until a recording can be seen, beside the library that people know."


def kept(docs: Path = _DOCS) -> list[Path]:
    """Return the results that the page is written from, unless others are given."""
    return sorted((docs / "benchmarks").glob("*.jsonl"))


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
    titles = {name: title for one in _EXPERIMENTS for name, title in one.titles.items()}
    parts = [_head(figures), _bars(figures, titles)]
    parts += _sections("The data path", _DATAPATH, DATAPATH, figures, charts, titles)
    parts += _sections("The player", _PLAYER, PLAYER, figures, charts, titles)
    parts += _sections("The scheduler", _SCHEDULER, SLOTS, figures, charts, titles)
    growth = [one for one in figures if one.figure.startswith("growth.") and one.unit == "us"]
    if growth:
        parts.append(_growth_chart(charts, growth, titles))
    page = docs / "benchmarks.md"
    page.write_text("\n\n".join([*parts, *_subjects(figures), _how_to_run()]) + "\n", encoding="utf-8")
    return page


def _sections(
    title: str, words: str, parts: Sequence[Part], figures: Sequence[Figure], charts: Path, titles: Mapping[str, str]
) -> Iterator[str]:
    """Yield what is said of one measurement's workloads, if there are results of them."""
    found = [(part, [one for one in figures if one.figure in part.figures]) for part in parts]
    if not any(its for _, its in found):
        return
    yield f"## {title}\n\n{_fill(words)}"
    for part, its in found:
        if its:
            yield from (f"### {part.title}", _fill(part.words), _table(its, part.figures, titles))
            if part.bound:
                yield _fill(f"**What bounds it.** {part.bound}")
            yield from _charts(charts, its, part, titles)


def _fill(words: str) -> str:
    return textwrap.fill(words, 118, break_on_hyphens=False)


def _head(figures: Sequence[Figure]) -> str:
    commits = sorted({one.commit for one in figures if one.commit})
    machines = sorted({one.machine for one in figures if one.machine})
    told = f"Commit {', '.join(commits)}; {'; '.join(machines)}. A `+` means that the source differed from the commit."
    return (
        "# Benchmarks\n\n"
        "<!-- written by `python -m benchmarks report`: do not edit -->\n\n"
        f"{_fill(_WORDS)}\n\n{_fill(told)}"
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
    return short if unit in {"x bound", "tries", "jobs", "x"} else f"{short}, {unit}"


def _value(one: Figure) -> str:
    if one.value is None:
        return "-"
    if one.min is None or one.max is None or one.min == one.max:
        return number(one.value)
    return f"{number(one.value)} ({number(one.min)} to {number(one.max)})"


def _charts(folder: Path, figures: Sequence[Figure], part: Part, titles: Mapping[str, str]) -> list[str]:
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


def _subjects(figures: Sequence[Figure]) -> list[str]:
    of_scheduler = {name for one in slots.EXPERIMENTS for name in one.titles}
    seen = list(dict.fromkeys(one.subject for one in figures if one.figure in of_scheduler))
    parts = ["## How each queue is set up"] if seen else []
    for subject in seen:
        listed = SUBJECTS.get(subject) or SUBJECTS.get(subject.rpartition(" ")[0])
        if listed:
            parts.append(f"**{subject}** ({listed.server.value}). {listed.how}")
    return parts


def _how_to_run() -> str:
    return """## How to run it

```
make bench                                    # the scheduler, all of it: about half an hour
make bench BENCH=datapath                     # the data path, all of it: about ten minutes
make bench BENCH=datapath ARGS="--quick"      # within a minute: fewer runs, fewer peers
.venv/bin/python -m benchmarks datapath --only click-to-sound --json
.venv/bin/python -m benchmarks datapath --json > docs/benchmarks/datapath.jsonl
.venv/bin/python -m benchmarks player --json > docs/benchmarks/player.jsonl
.venv/bin/python -m benchmarks report         # writes this page from docs/benchmarks/*.jsonl
```

`--json` prints one object a line: `figure`, `subject`, `value` (the median), `unit`, `min`, `max`, `runs`; for
callspool also `bar` and `holds`: true, false, or null where the machine was too noisy to say, with `why`. Around each
run a fixed loop is timed, and the processor time that others took meanwhile is counted: a bar that is missed by no
more than that may explain is neither held nor broken. Other files of results can be given to `report`."""
