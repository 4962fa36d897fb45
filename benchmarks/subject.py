"""Who is measured, and what each of them must be able to do. One subject is one module."""

import ast
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

from benchmarks.journal import Journal
from benchmarks.result import OURS
from benchmarks.workload import Workload


class Server(Enum):
    """What a subject keeps its queue in."""

    VALKEY = "Valkey"
    POSTGRES = "PostgreSQL"


@dataclass(frozen=True, slots=True)
class Setting:
    """What a subject is told."""

    url: str
    load: Workload
    folder: Path
    """Where the workers' journals lie."""


class Subject(Protocol):
    """One queue with its worker. Every method is called in a process of its own, which ends after it."""

    def __init__(self, setting: Setting) -> None: ...

    async def prepare(self) -> None:
        """Put in whatever must be there before the first task: schema, limits."""
        ...

    async def submit(self) -> None:
        """Put in all tasks, in their order, in the fastest way that its documentation offers."""
        ...

    async def submit_singly(self) -> None:
        """Put in all tasks, each with a call of its own, one after the other."""
        ...

    async def work(self, journal: Journal) -> None:
        """Run tasks, noting each start and end, until killed."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """A subject as it is known before its module is loaded."""

    name: str
    module: str
    distribution: str | None
    """None: it is part of this repository."""
    server: Server

    @property
    def title(self) -> str:
        """Its name and version."""
        if self.name == OURS or self.distribution is None:
            return self.name
        try:
            return f"{self.name} {version(self.distribution)}"
        except PackageNotFoundError:
            return self.name

    @property
    def missing(self) -> str | None:
        """Why it cannot be measured here, if so."""
        if self.distribution is None or self.title != self.name or self.name == OURS:
            return None
        return f"{self.distribution} is not installed: run `make bench`, or install the dependency group `bench`"

    @property
    def how(self) -> str:
        """How it is set up: what its module says at its top."""
        found = find_spec(self.module)
        if found is None or found.origin is None:
            return ""
        return ast.get_docstring(ast.parse(Path(found.origin).read_text(encoding="utf-8"))) or ""

    def load(self, setting: Setting) -> Subject:
        """Load its module and make it."""
        made: Subject = importlib.import_module(self.module).SUBJECT(setting)
        return made


BASELINE: Final = "sleeping worker"

SUBJECTS: Final[Mapping[str, Listed]] = {
    one.name: one
    for one in (
        Listed(OURS, "benchmarks.callspool_subject", None, Server.VALKEY),
        Listed(BASELINE, "benchmarks.peers.sleeping_worker", None, Server.VALKEY),
        Listed("rq", "benchmarks.peers.rq", "rq", Server.VALKEY),
        Listed("pgqueuer", "benchmarks.peers.pgqueuer", "pgqueuer", Server.POSTGRES),
        Listed("procrastinate", "benchmarks.peers.procrastinate", "procrastinate", Server.POSTGRES),
        Listed("dramatiq", "benchmarks.peers.dramatiq", "dramatiq", Server.VALKEY),
        Listed("celery", "benchmarks.peers.celery", "celery", Server.VALKEY),
        Listed("taskiq", "benchmarks.peers.taskiq", "taskiq", Server.VALKEY),
        Listed("saq", "benchmarks.peers.saq", "saq", Server.VALKEY),
    )
}
