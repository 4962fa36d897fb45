"""Processes of our own, started from one that has threads and runs on uvloop as a worker does."""

import subprocess
import sys
from pathlib import Path

import pytest

from callspool.child import Child
from tests.fixtures import made

_WHILE_A_LOCK_IS_HELD = """
import os, sys, threading
from pathlib import Path
import uvloop
{begin}
held = threading.Lock()
held.acquire()  # by a thread that a copy of this process would not have: nobody there lets go of it
os.register_at_fork(after_in_child=held.acquire)
print(uvloop.run(main()))
"""
_PROBE = """
from callspool.audio.probe import SubprocessProber
async def main():
    prober = SubprocessProber()
    found = await prober.probe(Path(sys.argv[1]))
    await prober.close()
    return found.duration_s
"""
_RENDER = """
from callspool.audio.render import SubprocessRenderer
async def main():
    target = Path(sys.argv[1]).with_suffix(".opus")
    await SubprocessRenderer().render(Path(sys.argv[1]), target)
    return target.read_bytes()[:4]
"""


@pytest.mark.parametrize(("begin", "said"), [(_PROBE, "2.0"), (_RENDER, "b'OggS'")], ids=["probe", "render"])
def test_a_child_starts_whatever_locks_other_threads_hold(tmp_path: Path, begin: str, said: str) -> None:
    sound = tmp_path / "a.wav"
    sound.write_bytes(made.wav(2.0))
    script = _WHILE_A_LOCK_IS_HELD.format(begin=begin)

    done = subprocess.run([sys.executable, "-c", script, sound], capture_output=True, text=True, timeout=60)

    assert (done.stdout.strip(), done.returncode) == (said, 0), done.stderr


async def test_what_it_says_is_read_and_its_status_told() -> None:
    script = "import sys; print(sys.stdin.readline().upper(), end='', flush=True); sys.exit(3)"
    child = await Child.start(sys.executable, "-c", script, environment={})

    await child.write(b"come in\n")

    assert await child.reader.readline() == b"COME IN\n"
    assert await child.wait() == 3
    assert child.has_ended


async def test_it_sees_the_end_of_us_as_the_end_of_its_input() -> None:
    script = "import sys; sys.stdin.read(); sys.exit(4)"
    child = await Child.start(sys.executable, "-c", script, environment={})

    child._writer.transport.abort()  # all that is left of us when we are killed

    assert await child.wait() == 4


async def test_one_that_does_not_end_is_ended() -> None:
    child = await Child.start(sys.executable, "-c", "print(flush=True); import time; time.sleep(60)", environment={})
    await child.reader.readline()

    assert not child.has_ended
    assert await child.end() == -9
    assert await child.end() == -9


async def test_a_command_that_there_is_not_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        await Child.start("/there/is/no/such/command", environment={})
