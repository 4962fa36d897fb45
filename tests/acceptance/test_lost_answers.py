"""A COMMIT that was done and whose answer is lost, on a real PostgreSQL, with the vault in a real S3."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callspool.domain.job import Place
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.recording import State
from tests.acceptance.gated import Stage, staged
from tests.acceptance.system import SID, until
from tests.fixtures.s3 import S3Server


@pytest.fixture
async def stage(tmp_path: Path, postgres_url: str, s3_server: S3Server, s3_prefix: str) -> AsyncIterator[Stage]:
    async with staged(tmp_path, postgres_url, s3_server, s3_prefix) as one:
        yield one


@pytest.mark.rule("I2", "I3")
async def test_a_worker_whose_last_commit_got_no_answer_reads_again_and_keeps_what_it_kept(stage: Stage) -> None:
    stage.store.loses = lambda said: stage.vault.answers > 0 and b"COMMIT;" in said
    worker = await stage.worker()
    recording = await stage.system.call(duration_s=2.0, channels=2)

    await asyncio.wait_for(stage.store.lost.wait(), 120)
    assert (await stage.system.parts.store.get(None, recording.id)).state is State.READY, "it was done"
    ready = await stage.system.reaches(recording, State.READY, seconds=120)
    await worker.end(signal.SIGTERM)  # it ends when it has done what it does

    assert await stage.system.of(recording.provider_recording_id) == ready
    assert (await stage.events(recording), ready.attempt) == (["enqueue", "claim", "keep"], 1)
    assert await stage.is_whole(ready)
    assert await stage.files(recording) == [str(ready.kept and ready.kept.vault_key.rpartition("/")[2])]
    assert len(stage.system.log()) == 1, "it was downloaded once"


@pytest.mark.rule("I2", "F27")
async def test_a_webhook_whose_commit_got_no_answer_is_not_acknowledged_and_its_repeat_changes_nothing(
    stage: Stage,
) -> None:
    await stage.system.serve(**stage.watched)
    made = stage.system.simulator.add_recording(account_sid=SID, tag="acme")
    stage.store.loses = lambda said: made.sid.encode() in said and b"COMMIT;" in said
    url = f"{stage.system.url}/webhooks/twilio/main/acme#rp=5xx"  # so a provider is asked to repeat what got a 5xx

    first, repeated = await stage.system.simulator.announce(made, url, events=["completed"])

    assert stage.store.lost.is_set()
    assert (first.status, repeated.status) == (503, 204)
    page = await stage.system.parts.store.list(RecordingFilter(), cursor=None, limit=10)
    (recording,) = page.recordings
    assert (recording.state, recording.version) == (State.QUEUED, 1)
    assert await stage.events(recording) == ["enqueue"]

    async def waits() -> bool:  # at once, or by the next reconciliation where the scheduler took too long
        return await stage.system.parts.producer.place(recording.id) is Place.WAITING

    await until(waits)
