"""That commands are all there, and that one does not pay for the start of another."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from callspool.cli.app import COMMANDS, app


def test_help_lists_every_command_with_its_sentence() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    lines = {line.strip("│ ").split()[0]: line for line in shown.splitlines() if line.strip("│ ")}
    for name in COMMANDS:
        assert len(lines[name].split()) > 3, shown


def test_every_command_explains_itself() -> None:
    for name in COMMANDS:
        result = CliRunner().invoke(app, [name, "--help"])
        assert result.exit_code == 0, result.output
        assert f"callspool {name}" in result.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("command", "needless"),
    [("status", {"fastapi", "uvicorn", "obstore", "asyncpg", "av"}), ("worker", {"fastapi", "starlette", "uvicorn"})],
)
def test_a_command_does_not_load_what_it_does_not_need(command: str, needless: set[str]) -> None:
    loaded = f"import sys; print(*sorted({needless!r} & set(sys.modules)))"
    ask = f"from callspool.cli.app import Commands; Commands(name='c').get_command(None, {command!r}); {loaded}"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
