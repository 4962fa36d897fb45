"""How near is a download to what the same Python does without a network, and how much memory does it take?

The provider is a plain server in a process of its own that sends by sendfile (`benchmarks.data.origin`). callspool's
side is its own code from the request to the durable file: provider module, limits, spool.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from benchmarks.data import files
from benchmarks.data.processes import asked, origin
from benchmarks.data.turns import NO_TIME, Contender, Turns, in_turns, ratio, shown
from benchmarks.experiment import Bar, Context, Experiment
from benchmarks.result import OURS, Figure, figure

_MB: Final = 1_000_000
_LARGE: Final = 100 * _MB
_HUGE: Final = 1000 * _MB
_MANY: Final = 32
_LOCAL: Final = "local file"
_CURL: Final = "curl"
_FALLBACK: Final = "httpx2"


class _Site:
    """A provider, and a folder to download to."""

    def __init__(self, url: str, file: Path, folder: Path) -> None:
        self._url = url
        self._file = file
        self._folder = folder

    def bring(self, way: str, size: int, count: int = 1, *, warm: bool = True) -> Mapping[str, float]:
        """Do it once, in a process of its own."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            given: list[str | Path | int] = [
                "--url",
                self._url,
                "--file",
                self._file,
                "--folder",
                folder,
                "--size",
                size,
                "--count",
                count,
            ]
            told = asked("benchmarks.data.fetch_process", way, *given, *(["--warm"] if warm else []))
        brought = size * count
        return {
            "rate": brought / _MB / told["seconds"],
            "files": count / told["seconds"],
            "cpu": told["cpu_s"] / brought * 1000 * _MB,
            "memory": told["memory_mb"],
        }

    def contenders(self, size: int, count: int = 1, *, quick: bool) -> list[Contender]:
        """Return callspool and its peers, each with this order; a quick run goes without the other client."""

        def one(name: str, title: str, way: str, missing: str = "") -> Contender:
            return Contender(name, title, lambda: self.bring(way, size, count), missing)

        curl = "" if shutil.which("curl") else "curl is not installed here"
        pipeline = [one(_CURL, "curl, tee, sha256sum", "curl", curl)] if count == 1 else []
        client, missing = _fallback()
        other = [] if quick else [one(_FALLBACK, client, "fallback", missing)]
        return [one(OURS, OURS, "callspool"), one(_LOCAL, _LOCAL, "local"), *pipeline, *other]


def _fallback() -> tuple[str, str]:
    """Return what the same code with the other client is called, and why it is not there, if so."""
    try:
        return f"with httpx2 {version('httpx2')}", ""
    except PackageNotFoundError:
        return "with httpx2", "httpx2 is not installed: run `make bench`, or install the dependency group `bench`"


def _measure_large(context: Context) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="callspool-bench-") as name:
        file = files.noise_file(Path(name) / "file", _LARGE)
        with origin(file) as (pid, url):
            site = _Site(url, file, Path(name))
            runs = context.options.runs or (2 if context.options.quick else 9)
            turns = in_turns(
                context,
                "100 MB",
                site.contenders(_LARGE, quick=context.options.quick),
                runs=runs,
                needs_s=6,
                servers=[pid],
            )
            growth = _growth(context, site)
    return [
        *shown("download.large.rate", "rate", "MB/s", turns),
        *ratio(
            "download.large.of_limit", "rate", turns, _LOCAL, Bar("at least 0.9 x the local file", 0.9, upper=False)
        ),
        *ratio("download.large.of_curl", "rate", turns, _CURL, Bar("at least 2 x the pipeline", 2.0, upper=False)),
        *shown("download.large.cpu", "cpu", "CPU s/GB", turns, Bar("at most 1.5 CPU s/GB", 1.5)),
        *_memory(turns),
        *growth,
    ]


def _memory(turns: Mapping[str, Turns]) -> list[Figure]:
    """Leave out the pipeline: its memory is that of three programs."""
    in_python = {name: its for name, its in turns.items() if name != _CURL}
    return shown("download.large.memory", "memory", "MB", in_python, Bar("at most 100 MB resident", 100))


def _growth(context: Context, site: _Site) -> list[Figure]:
    """Compare what 1 GB takes with what 1 MB takes, each in a new process."""
    grown, turns = [], Turns(OURS)
    if context.options.subjects and OURS not in context.options.subjects:
        return []
    for _ in range(1 if context.options.quick else 3):
        if context.left_s() > 6:
            context.tell("memory: 1 MB and 1 GB")
            with turns.noise.watched():
                small, huge = (site.bring("callspool", size, warm=False)["memory"] for size in (_MB, _HUGE))
            grown.append(huge - small)
    found = figure("download.large.growth", OURS, grown, "MB", "" if grown else NO_TIME)
    bar = Bar("1 GB takes at most 10 MB more than 1 MB", 10.0)
    return [replace(bar.judge(found, turns.noise), noise=str(turns.noise))]


def _measure_many(context: Context) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="callspool-bench-") as name:
        file = files.noise_file(Path(name) / "file", _MB)
        with origin(file) as (pid, url):
            contenders = _Site(url, file, Path(name)).contenders(_MB, _MANY, quick=context.options.quick)
            runs = context.options.runs or (2 if context.options.quick else 9)
            turns = in_turns(context, "32 x 1 MB", contenders, runs=runs, needs_s=5, servers=[pid])
    bar = Bar("at least 0.5 x the local files", 0.5, upper=False)
    return [
        *shown("download.many.rate", "files", "files/s", turns),
        *ratio("download.many.of_limit", "files", turns, _LOCAL, bar),
        *shown("download.many.memory", "memory", "MB", turns),
    ]


LARGE: Final = Experiment(
    "download.large",
    {
        "download.large.rate": "one download of 100 MB: rate",
        "download.large.of_limit": "one download of 100 MB: rate / the local file's",
        "download.large.of_curl": "one download of 100 MB: rate / the pipeline's",
        "download.large.cpu": "one download of 100 MB: processor time",
        "download.large.memory": "one download of 100 MB: resident memory",
        "download.large.growth": "one download: memory of 1 GB - memory of 1 MB",
    },
    _measure_large,
)
MANY: Final = Experiment(
    "download.many",
    {
        "download.many.rate": "32 downloads of 1 MB at once: rate",
        "download.many.of_limit": "32 downloads of 1 MB at once: rate / the local files'",
        "download.many.memory": "32 downloads of 1 MB at once: resident memory",
    },
    _measure_many,
)
