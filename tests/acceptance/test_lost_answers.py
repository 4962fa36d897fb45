"""A COMMIT that was done and whose answer is lost, on a real PostgreSQL, with the vault in a real S3."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from chaos.proxy import Upstream

from callspool.domain.recording import Recording, State
from tests.acceptance.system import Process, System, system
from tests.fixtures.gate import Gate, gate
from tests.fixtures.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server


@dataclass
class Stage:
    """The system, and the gates of the one process that is watched."""

    system: System
    store: Gate
    vault: Gate
    settings: dict[str, str]

    async def worker(self) -> Process:
        """Start the worker that is watched."""
        return await self.system.worker(**self.settings)

    async def files(self, recording: Recording) -> list[str]:
        """Return the names of what the vault has of it, without what is kept beside the audio."""
        keys = [key async for key in self.system.parts.vault.keys(recording.tenant_id, recording.id)]
        return [key.rpartition("/")[2] for key in keys if not key.endswith(".peaks")]


@asynccontextmanager
async def staged(folder: Path, database: str, s3: S3Server, prefix: str) -> AsyncIterator[Stage]:
    where = f"s3://{BUCKET}/{prefix}?endpoint=http://127.0.0.1:"
    keys = {"vault_access_key": ACCESS_KEY, "vault_secret_key": SECRET_KEY}
    path, _, socket_folder = database.partition("?host=")
    async with (
        gate(Upstream(path=f"{socket_folder}/.s.PGSQL.5432")) as store,
        gate(Upstream(port=s3.port)) as vault,
        system(folder, database_url=database, vault_url=f"{where}{s3.port}", **keys) as running,
    ):
        watched = {
            "CALLSPOOL_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{store.port}{urlsplit(path).path}",
            "CALLSPOOL_VAULT_URL": f"{where}{vault.port}",
        }
        yield Stage(running, store, vault, watched)


@pytest.fixture
async def stage(tmp_path: Path, postgres_url: str, s3_server: S3Server, s3_prefix: str) -> AsyncIterator[Stage]:
    async with staged(tmp_path, postgres_url, s3_server, s3_prefix) as one:
        yield one


async def is_whole(stage: Stage, recording: Recording) -> bool:
    made = stage.system.simulator.recordings[recording.provider_recording_id]
    assert recording.kept is not None
    return recording.kept.sha256 == await stage.system.simulator.sha256(made)


@pytest.mark.rule("I2", "I3")
async def test_a_worker_whose_last_commit_got_no_answer_reads_again_and_keeps_what_it_kept(stage: Stage) -> None:
    stage.store.loses = lambda said: stage.vault.answers > 0 and b"COMMIT" in said
    worker = await stage.worker()
    recording = await stage.system.call(duration_s=2.0, channels=2)

    await asyncio.wait_for(stage.store.lost.wait(), 120)
    ready = await stage.system.reaches(recording, State.READY, seconds=120)
    await worker.end(signal.SIGTERM)  # it ends when it has done what it does

    assert await stage.system.of(recording.provider_recording_id) == ready
    events = [entry.event.value for entry in await stage.system.parts.store.history(None, recording.id)]
    assert (events, ready.attempt) == (["enqueue", "claim", "keep"], 1)
    assert await is_whole(stage, ready)
    assert await stage.files(recording) == [str(ready.kept and ready.kept.vault_key.rpartition("/")[2])]
    assert len(stage.system.log()) == 1, "it was downloaded once"
