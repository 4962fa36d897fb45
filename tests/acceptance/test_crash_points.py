"""A worker that dies around the rename and the commit, with the vault on a disk: hooks in its process kill it there."""

import asyncio
import hashlib
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from callspool.domain.ids import TenantId
from callspool.domain.recording import State
from tests.acceptance.system import System, system
from tests.fixtures import kill_hook

POINTS = {
    "fsync:.part:before": 0,  # what came is not durable yet
    "fsync:.part:after": 0,
    "link:.wav:before": 0,
    "link:.wav:after": 1,  # the name is there, its folder not durable yet
    "link:.wav.peaks:after": 1,  # all is there, only the row is not
}
"""Where a worker is killed, and how many files of it the vault has then."""


async def hashes(running: System) -> list[str]:
    """Return the SHA-256 of each audio file that a reader of the vault would find."""
    vault = running.parts.vault
    keys = [key async for key in vault.keys(TenantId("acme")) if not key.endswith(".peaks")]
    return [hashlib.sha256(await vault.read_all(key)).hexdigest() for key in keys]


@pytest.mark.skipif(sys.platform != "linux", reason="the hooks find an open file's name in /proc")
@pytest.mark.rule("F26", "I2", "I3")
@pytest.mark.timeout(400)
async def test_a_worker_killed_around_rename_and_commit_leaves_whole_files_and_no_row(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        acme = replace(await running.parts.store.tenant(TenantId("acme")), slots=len(POINTS))
        await running.parts.store.set_tenant(acme)
        await running.parts.producer.set_tenant(acme.id, slots=acme.slots, weight=1.0, paused=False)
        calls = [await running.call(duration_s=2.0, channels=2) for _ in POINTS]
        # Room for one each: every worker dies in its first.
        workers = [
            (await running.run("worker", "--concurrency", "1", program=("-m", kill_hook.__name__, point)))[0]
            for point in POINTS
        ]
        codes = await asyncio.gather(*(worker.end_by_itself() for worker in workers))
        assert codes == [-signal.SIGKILL] * len(POINTS)

        sent = {
            call.id: await running.simulator.sha256(running.simulator.recordings[call.provider_recording_id])
            for call in calls
        }
        left = await hashes(running)
        assert len(left) == sum(POINTS.values())
        assert set(left) <= set(sent.values()), "what is there under its name is whole"
        # On a slow machine one that starts late may have taken over from one that was dead already.
        before = {call.id: await running.parts.store.get(None, call.id) for call in calls}
        assert {now.state for now in before.values()} <= {State.FETCHING, State.QUEUED}
        assert sum(now.attempt for now in before.values()) == len(POINTS)
        assert {now.kept for now in before.values()} == {None}

        await running.worker()
        for call in calls:
            ready = await running.reaches(call, State.READY)
            assert ready.kept is not None
            assert hashlib.sha256(await running.parts.vault.read_all(ready.kept.vault_key)).hexdigest() == sent[call.id]
            assert ready.attempt == before[call.id].attempt + 1
        spool = running.parts.settings.spool
        assert len([path for path in spool.glob("*") if path.is_dir()]) == 1, "what they left in the spool is removed"
