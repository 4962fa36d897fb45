"""The command line in this process: where a process is not the point, its start takes longer than its work."""

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from typer.testing import CliRunner

from callspool.cli import main


async def run_here(*args: str, typed: str = "") -> tuple[int, str, str]:
    """Run a command that ends by itself, as `tests.acceptance.test_demo.run` does; return the same.

    In a thread: a command runs a loop of its own, and this one goes on, for what the command talks to.
    """
    return await asyncio.to_thread(_run, args, typed)


def _run(args: tuple[str, ...], typed: str) -> tuple[int, str, str]:
    arguments = mock.patch.object(sys, "argv", ["callspool", *args])
    with _log_as_before(), CliRunner().isolation(typed) as (out, err, _), arguments:
        with pytest.raises(SystemExit) as ended:
            main()
        sys.stdout.flush()
        sys.stderr.flush()
        code = ended.value.code or 0
        assert isinstance(code, int)
        return code, out.getvalue().decode(), err.getvalue().decode()


@contextmanager
def _log_as_before() -> Iterator[None]:
    """Take back what the command has set up: its log goes to a standard error that is no more."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
