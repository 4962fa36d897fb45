"""``callspool demo``: the main job with a faulty provider, judged by the provider's own log; and that it tidies up."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.acceptance.system import until

pytestmark = pytest.mark.timeout(400)  # five processes start, perhaps on a busy machine

FIELDS = {"tenants", "account_most_at_once", "account_limit", "duplicates", "bytes", "broken", "holds"}


async def run(*args: str, typed: str = "") -> tuple[int, str, str]:
    """Run the command line, with what is piped into it; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callspool.cli", *args),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ),
    )
    out, err = await asyncio.wait_for(process.communicate(typed.encode()), 380)
    return process.returncode or 0, out.decode(), err.decode()


def processes_of(folder: Path) -> dict[int, str]:
    """Return the processes that were told of *folder*, by argument or environment, and their command lines."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
            if str(folder).encode() in command + (process / "environ").read_bytes():
                found[int(process.name)] = command.decode()
        except OSError:
            continue
    return found


@asynccontextmanager
async def demo(folder: Path, *args: str, **files: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """A demo that runs, in a session of its own, with *folder* for everything that is temporary."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callspool.cli", "demo", *args),
        env={**os.environ, "TMPDIR": str(folder)},
        start_new_session=True,
        **{"stdout": asyncio.subprocess.PIPE, **files},  # type: ignore[arg-type]
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def nothing_is_left(folder: Path) -> None:
    """Wait until no process knows *folder* and nothing is in it."""

    async def is_empty() -> bool:
        return not processes_of(folder) and not list(folder.iterdir())

    await until(is_empty, 100)


@pytest.mark.rule("S10", "I1", "I2", "I3")
async def test_demo_keeps_every_invariant_and_away_from_a_real_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell names the parts of one: nothing of it may be touched, nor be in the way."""
    for name, value in {
        "DATA": str(tmp_path / "data"),
        "DATABASE_URL": f"sqlite:///{tmp_path}/real.db",
        "VALKEY_URL": f"unix://{tmp_path}/real.sock",
        "VAULT_URL": f"file://{tmp_path}/vault",
        "SECRET_KEY_FILE": str(tmp_path / "key"),
        "PUBLIC_URL": "https://calls.example.com",
        "HOST": "192.0.2.1",
        "SHARDS": "2",
        "MISTYPED": "1",
    }.items():
        monkeypatch.setenv(f"CALLSPOOL_{name}", value)
    code, out, err = await run("demo", "--once", "--recordings", "60", "--seed", "7", "--json")
    assert code == 0, out + err
    assert list(tmp_path.iterdir()) == []
    verdict = json.loads(out.strip().splitlines()[-1])
    assert verdict.keys() == FIELDS
    assert verdict["broken"] == {"I1": [], "I2": [], "I3": []}
    assert verdict["duplicates"] == 0
    assert len(verdict["tenants"]) == 6
    kept = sum(tenant["kept"] for tenant in verdict["tenants"])
    failed = sum(sum(tenant["failed"].values()) for tenant in verdict["tenants"])
    assert kept + failed == 60
    assert all(tenant["most_at_once"] <= tenant["slots"] for tenant in verdict["tenants"])


@pytest.mark.rule("I2")
async def test_a_run_in_which_recordings_are_stuck_is_judged_all_the_same(tmp_path: Path) -> None:
    async with demo(tmp_path, "--once", "--recordings", "100", "--patience", "3", "--json") as process:

        async def first_is_kept() -> bool:
            return any(path.is_file() for path in tmp_path.glob("callspool-demo-*/vault/**/*.wav"))

        await until(first_is_kept, 200)
        (pid,) = (pid for pid, line in processes_of(tmp_path).items() if "worker --child" in line)
        os.kill(pid, signal.SIGSTOP)  # it holds what it has and fetches no more
        assert process.stdout is not None
        verdict = json.loads(await asyncio.wait_for(process.stdout.readline(), 120))
        os.kill(pid, signal.SIGCONT)
        assert await asyncio.wait_for(process.wait(), 60) == 1
    assert verdict["holds"] is False
    assert verdict["broken"]["I2"]
    assert "acknowledged, but still" in verdict["broken"]["I2"][0]
    await nothing_is_left(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_a_demo_that_ends_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    async with demo(tmp_path, "--port", "0") as process:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 150)
        assert b"http://127.0.0.1:" in line
        assert len(processes_of(tmp_path)) >= 5  # itself, provider, up, Valkey, worker
        process.send_signal(number)
        code = await asyncio.wait_for(process.wait(), 60)
    assert code == (0 if number is signal.SIGINT else -signal.SIGKILL)
    await nothing_is_left(tmp_path)


@pytest.fixture
def heeds_hangups() -> Iterator[None]:
    """Have what is started be told of a closed terminal, also where this run is not, as under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("heeds_hangups")
async def test_a_demo_whose_terminal_is_closed_leaves_nothing_behind(tmp_path: Path) -> None:
    mine, its = os.openpty()
    async with demo(tmp_path, "--port", "0", stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        said = b""
        while b"Stop: Ctrl-C" not in said:
            said += await asyncio.wait_for(asyncio.to_thread(os.read, mine, 4096), 150)
        os.close(mine)
        process.send_signal(signal.SIGHUP)  # what the kernel sends to those whose terminal goes
        assert await asyncio.wait_for(process.wait(), 60) == 0
    await nothing_is_left(tmp_path)


@pytest.mark.parametrize("args", [("--json",), ("--recordings", "5")])
async def test_what_needs_an_end_is_refused_without_once(args: tuple[str, ...]) -> None:
    code, _, err = await run("demo", *args)
    assert code == 2
    assert "it needs --once" in " ".join(err.replace("│", " ").split())
