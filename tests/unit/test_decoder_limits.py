"""The limits that a decoder's process gives itself, tried: they are what is left when a decoder was taken over."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from callspool.audio.check import MEMORY
from callspool.audio.probe import SubprocessProber
from tests.fixtures import made

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has all of these limits")


def limited(code: str) -> subprocess.CompletedProcess[str]:
    """Run *code* as a decoder's process would."""
    begin = "from callspool.audio.check import allow_cpu, limit_process; limit_process()\n"
    return subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, timeout=120)


def test_it_can_write_no_byte_into_any_file(tmp_path: Path) -> None:
    file = tmp_path / "written"

    done = limited(f"file = open({str(file)!r}, 'wb', buffering=0)\nfile.write(b'x')")

    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert file.read_bytes() == b""


def test_it_can_take_no_more_memory() -> None:
    done = limited(f"try:\n  bytearray({MEMORY})\nexcept MemoryError:\n  print('refused')")

    assert done.stdout == "refused\n"


def test_it_is_ended_when_its_processor_time_is_over() -> None:
    done = limited("allow_cpu(0)\nwhile True: pass")

    assert -done.returncode == signal.SIGXCPU


def test_it_leaves_no_core_and_cannot_take_its_limits_back() -> None:
    done = limited(
        "import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE))\n"
        "import os\nif os.getuid() == 0: os.setuid(65534)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))"
    )

    assert done.stdout == "(0, 0)\n"
    assert "not allowed to raise maximum limit" in done.stderr


async def test_the_processes_that_check_recordings_have_them(tmp_path: Path) -> None:
    prober = SubprocessProber()
    path = tmp_path / "a.wav"
    path.write_bytes(made.wav(0.1))
    await prober.probe(path)
    (checker,) = prober._idle
    pid = checker._child._process.pid

    limits = {which: resource.prlimit(pid, which) for which in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE)}
    soft, _ = resource.prlimit(pid, resource.RLIMIT_CPU)
    await prober.close()

    assert limits == {resource.RLIMIT_AS: (MEMORY, MEMORY), resource.RLIMIT_FSIZE: (0, 0)}
    assert 0 < soft < 3600
