"""That commands are all there, and that one does not pay for the start of another."""

import asyncio
import subprocess
import sys

from typer.testing import CliRunner

from callspool.cli.app import COMMANDS, app
from callspool.cli.serving import cancel


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


def test_a_question_does_not_load_what_serves_or_fetches() -> None:
    loaded = "import sys; print(*sorted({'fastapi', 'uvicorn', 'obstore', 'asyncpg', 'av'} & set(sys.modules)))"
    ask = f"from callspool.cli.app import Commands; Commands(name='c').get_command(None, 'status'); {loaded}"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


async def test_task_that_misses_its_cancellation_is_cancelled_again() -> None:
    missed = 0

    async def deaf() -> None:
        nonlocal missed
        while missed < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                missed += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await cancel(task)
    assert (missed, task.cancelled()) == (2, True)
