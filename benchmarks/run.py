"""Runs one subject on one workload, in processes of its own, and returns what happened."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.journal import Event, Kind, Reader
from benchmarks.machine import Noise, descendants
from benchmarks.servers import Postgres, Running, valkey
from benchmarks.subject import Listed, Server
from benchmarks.workload import Workload

Process = subprocess.Popen[str]
_LOOK_S: Final = 0.02
_ROOT: Final = Path(__file__).parents[1]


class DidNotRun(Exception):
    """A subject failed; the text says how."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one run showed."""

    events: tuple[Event, ...]
    submit_s: float
    server_cpu_s: float
    """From the first task's start to the last one's end."""
    finished: bool
    """False: the limit was reached first."""


class Laboratory:
    """Starts servers and processes, and ends them. Close it."""

    def __init__(self) -> None:
        self._postgres = Postgres()

    def close(self) -> None:
        """End what is still running."""
        self._postgres.stop()

    def drain(self, subject: Listed, load: Workload, noise: Noise, limit_s: float) -> Observation:
        """Put in the workload, then run one worker until all tasks have ended; *limit_s* for both together."""
        wanted, deadline = len(load.tasks), time.monotonic() + limit_s
        with ExitStack() as stack:
            server, folder = self._empty(subject, stack)
            submit_s = submit(subject, load, server, folder, limit_s=limit_s)
            stack.enter_context(noise.watched((server.pid,)))
            reader = Reader(folder)
            process = stack.enter_context(worker(subject, load, server, folder))
            wait(process, reader, lambda: reader.count(Kind.START) > 0, deadline - time.monotonic())
            server_cpu = server.cpu_s()
            finished = wait(process, reader, lambda: _have_ended(reader, wanted), deadline - time.monotonic())
            server_cpu = server.cpu_s() - server_cpu
            reader.read()
            return Observation(tuple(reader.events), submit_s, server_cpu, finished)

    def submits_singly(self, subject: Listed, load: Workload, noise: Noise, limit_s: float) -> Observation:
        """Put in the workload one by one; no worker runs."""
        with ExitStack() as stack:
            server, folder = self._empty(subject, stack)
            stack.enter_context(noise.watched((server.pid,)))
            return Observation((), submit(subject, load, server, folder, singly=True, limit_s=limit_s), 0.0, True)

    @contextmanager
    def server(self, subject: Listed) -> Iterator[tuple[Running, Path]]:
        """Give an empty server and a folder for the journals."""
        with ExitStack() as stack:
            yield self._empty(subject, stack)

    def _empty(self, subject: Listed, stack: ExitStack) -> tuple[Running, Path]:
        made: AbstractContextManager[Running] = (
            valkey() if subject.server is Server.VALKEY else self._postgres.database()
        )
        server = stack.enter_context(made)
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="callspool-bench-"))
        return server, Path(folder)


def _have_ended(reader: Reader, wanted: int) -> bool:
    ended = (Kind.END, Kind.DROP)
    return reader.count(*ended) >= wanted and len(reader.tasks(*ended)) >= wanted  # some run a task twice


def submit(
    subject: Listed, load: Workload, server: Running, folder: Path, *, singly: bool = False, limit_s: float = 120.0
) -> float:
    """Prepare the subject and put in all tasks; return how long the putting in took."""
    command = _command(subject, "submit-singly" if singly else "submit", load, server, folder)
    try:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        raise DidNotRun(f"its submitting process did not end in {limit_s:.0f} s") from None
    if done.returncode:
        raise DidNotRun(f"its submitting process failed: {last_line(done.stderr)}")
    return float(done.stdout.split()[-1])


@contextmanager
def worker(subject: Listed, load: Workload, server: Running, folder: Path) -> Iterator[Process]:
    """Run a worker process; kill it, and all that it started, at the end."""
    with (folder / f"worker-{time.monotonic_ns()}.log").open("w+") as log:
        process = subprocess.Popen(
            _command(subject, "work", load, server, folder),
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            kill(process)


def kill(process: Process) -> None:
    """End a worker as a crash of its machine would, with all that it started: some put them in groups of their own."""
    if process.poll() is None:
        others = list(descendants(process.pid))
        os.killpg(process.pid, signal.SIGKILL)
        for other in others:
            with suppress(ProcessLookupError):
                os.kill(other, signal.SIGKILL)
    process.wait()


def wait(process: Process, reader: Reader, until: Callable[[], bool], limit_s: float) -> bool:
    """Wait until the journals say so; False after *limit_s*. Raises `DidNotRun` if the worker dies first."""
    deadline = time.monotonic() + limit_s
    while True:
        if until():
            return True
        if time.monotonic() > deadline:
            return False
        try:
            process.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        raise DidNotRun(f"its worker ended with status {process.returncode}: {_log_of(reader)}")


def _log_of(reader: Reader) -> str:
    logs = sorted(reader.folder.glob("worker-*.log"))
    return last_line(logs[-1].read_text()) if logs else ""


def _command(subject: Listed, action: str, load: Workload, server: Running, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.subject_process", subject.name, action, "--url", server.url]
    return [*command, "--workload", load.name, "--seats", str(load.seats), "--folder", str(folder)]


def last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else "it said nothing"
