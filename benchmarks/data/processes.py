"""Starts the processes of a measurement, and ends them with it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.run import DidNotRun, kill, last_line
from benchmarks.servers import ends_with_parent

_ROOT: Final = Path(__file__).parents[2]


@contextmanager
def running(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None, *, has_line: bool = True
) -> Iterator[tuple[int, str]]:
    """Run a server until the block ends; give its process id and, where it prints one, its first line."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command,
            cwd=_ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            preexec_fn=ends_with_parent(),  # noqa: PLW1509 - it makes one system call
        )
        try:
            assert process.stdout
            line = process.stdout.readline() if has_line else ""
            if has_line and not line:
                log.seek(0)
                raise DidNotRun(f"{Path(command[0]).name} did not start: {last_line(log.read())}")
            yield process.pid, line.strip()
        finally:
            kill(process)


def asked(module: str, *arguments: str | Path | int, limit_s: float = 120.0) -> Any:
    """Run a module of ours to its end; return what it prints, read as JSON. Raises `DidNotRun`."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    try:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        raise DidNotRun(f"{module} did not end in {limit_s:.0f} s") from None
    if done.returncode:
        raise DidNotRun(f"{module} failed: {last_line(done.stderr)}")
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def origin(file: Path, *, first_byte_s: float = 0.0, rate: float = 0.0) -> Iterator[tuple[int, str]]:
    """Run a provider that sends *file*; give its process id and its address."""
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.data.origin", file]
    manner = ["--first-byte", str(first_byte_s), "--rate", str(rate)]
    with running([*command, *manner]) as (pid, port):
        yield pid, f"http://127.0.0.1:{port}"
