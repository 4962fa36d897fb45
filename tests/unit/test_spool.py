"""The spool: bytes are hashed and durable, and what dead processes left goes away."""

import asyncio
import hashlib
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from callspool.domain.ids import RecordingId
from callspool.fetch import spool as spooling
from callspool.fetch.spool import THREAD_BYTES, WRITE_BYTES, Spool

RECORDING = RecordingId("rec_" + "0193a4b5c6d77e8f90a1b2c3d4e5f607")

HOLDER = """
import sys, pathlib
from callspool.fetch.spool import Spool
spool = Spool(pathlib.Path(sys.argv[1]), "other")
spool.open("rec_" + "0" * 32, 1)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["at once", "by a thread"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A disk that takes everything at once, and one whose every write counts as slow."""
    if request.param == "by a thread":
        monkeypatch.setattr(spooling, "SLOW_WRITE_S", -1.0)
    return str(request.param)


@pytest.mark.rule("I3")
@pytest.mark.usefixtures("disk")
async def test_the_hash_is_that_of_the_bytes_on_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w1")
    file = spool.open(RECORDING, 1)
    sizes = [1, WRITE_BYTES, 7, 3 * WRITE_BYTES + 1, 0, THREAD_BYTES, 5, THREAD_BYTES, 3]
    pieces = [bytes([n]) * size for n, size in enumerate(sizes)]
    for piece in pieces:
        await file.append(piece)
    digest = await file.finish()
    assert file.path.read_bytes() == b"".join(pieces)
    assert file.size == len(b"".join(pieces))
    assert digest == hashlib.sha256(b"".join(pieces)).hexdigest()
    spool.close()


@pytest.mark.usefixtures("disk")
async def test_after_a_restart_only_the_new_bytes_count(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w1")
    file = spool.open(RECORDING, 1)
    for size in (WRITE_BYTES, THREAD_BYTES, 5):
        await file.append(b"x" * size)
    await file.restart()
    await file.append(b"new")
    assert await file.finish() == hashlib.sha256(b"new").hexdigest()
    assert file.path.read_bytes() == b"new"
    spool.close()


async def test_a_removed_file_and_a_closed_spool_leave_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w1")
    file = spool.open(RECORDING, 1)
    await file.append(b"x")
    file.remove()
    file.remove()
    assert not file.path.exists()
    spool.open(RECORDING, 2)
    spool.close()
    spool.close()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


async def test_a_write_under_way_does_not_reach_the_file_that_comes_next(tmp_path: Path) -> None:
    """A file that is removed may be written yet: its descriptor's number must not be another's meanwhile."""
    busy = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        asyncio.get_running_loop().set_default_executor(thread)
        thread.submit(busy.wait, 30)
        spool = Spool(tmp_path, "w1")
        file = spool.open(RECORDING, 1)
        file._slow = True
        await file.append(b"x" * THREAD_BYTES)
        file.remove()
        following = spool.open(RECORDING, 2)
        busy.set()
        await following.append(b"new")
        digest = await following.finish()
    assert following.path.read_bytes() == b"new"
    assert digest == hashlib.sha256(b"new").hexdigest()
    spool.close()


@pytest.mark.usefixtures("disk")
async def test_what_came_can_be_read_wherever_it_is(tmp_path: Path) -> None:
    """On the disk, on its way there, and in memory."""
    spool = Spool(tmp_path, "w1")
    file = spool.open(RECORDING, 1)
    reader = file.reader()
    pieces = [bytes([65 + n]) * size for n, size in enumerate([WRITE_BYTES, 10, THREAD_BYTES, 3, THREAD_BYTES, 5])]
    came = b""
    for piece in pieces:
        await file.append(memoryview(piece))
        came += piece
        heard = b""
        while more := file.peek(reader, len(heard), 100_000):
            heard += more
        assert heard == came
    os.close(reader)
    file.remove()
    spool.close()


@pytest.mark.rule("F26")
async def test_a_write_that_fails_is_told_and_again_by_every_call_that_would_make_the_rest_durable(
    tmp_path: Path, disk: str
) -> None:
    spool = Spool(tmp_path, "w1")
    file = spool.open(RECORDING, 1)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, file._open())
    os.close(full)
    if disk == "by a thread":
        file._slow = True
        await file.append(b"x" * THREAD_BYTES)
    else:
        with pytest.raises(OSError, match="space"):
            await file.append(b"x" * WRITE_BYTES)
    for call in (file.flush, file.finish, file.flush):
        with pytest.raises(OSError, match="space"):
            await call()
    file.remove()
    spool.close()


@pytest.mark.rule("F26")
async def test_what_a_killed_process_left_is_swept_and_a_living_one_is_not_touched(tmp_path: Path) -> None:
    other = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLDER,
        str(tmp_path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert other.stdout is not None
    assert await other.stdout.readline() == b"held\n"
    Spool(tmp_path, "first").close()
    (left,) = tmp_path.glob("other-*/*.part")
    other.send_signal(signal.SIGKILL)
    await other.wait()
    spool = Spool(tmp_path, "second")
    assert not left.parent.exists()
    spool.close()


async def test_many_starts_at_once_do_not_sweep_each_other(tmp_path: Path) -> None:
    spools = await asyncio.gather(*(asyncio.to_thread(Spool, tmp_path, f"w{n}") for n in range(20)))
    files = [spool.open(RECORDING, 1) for spool in spools]
    assert all(file.path.exists() for file in files)
    for spool in spools:
        spool.close()


def test_free_space_is_that_of_the_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w1")
    assert 0 < spool.free() <= os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize
    spool.close()
