"""The main job on real parts, and what must hold when a part of it dies."""

import hashlib
import signal
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from callspool.domain.backoff import RETRY_DELAYS
from callspool.domain.job import Circuit, Place
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.recording import State
from callspool.simulator import PublicKey, highest_concurrency
from callspool.wiring import make_reconciler
from tests.acceptance.system import LEASE_S, System, system, until

RATE = 60_000  # bytes a second: a 10 s dual call, 320 kB, takes more than two lease times


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[System]:
    async with system(tmp_path) as one:
        yield one


def assert_no_overlap(running: System, sid: str) -> None:
    """The provider never saw two downloads of one recording at once."""
    spans = sorted((one.start, one.end) for one in running.log() if one.recording_sid == sid)
    for (_, ended), (started, _) in pairwise(spans):
        assert ended is not None
        assert ended <= started


async def whole(running: System, sid: str) -> int:
    return sum(one.whole for one in running.log() if one.recording_sid == sid)


@pytest.mark.rule("S2", "S10", "F2", "F3", "F12", "I2", "I3")
async def test_webhook_becomes_a_recording_that_plays_byte_for_byte(running: System) -> None:
    await running.worker()
    queued = await running.call(duration_s=5.0, channels=2)
    ready = await running.reaches(queued, State.READY)
    assert ready.kept is not None
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
        answer = await client.get(
            f"/api/recordings/{ready.id}/audio", headers={"authorization": f"Bearer {running.key}"}
        )
    assert answer.headers["content-type"] == "audio/wav"
    sent = await running.simulator.sha256(running.simulator.recordings[ready.provider_recording_id])
    assert hashlib.sha256(answer.content).hexdigest() == sent == ready.kept.sha256
    events = [entry.event.value for entry in await running.parts.store.history(None, ready.id)]
    assert events == ["enqueue", "claim", "keep"]
    assert await whole(running, ready.provider_recording_id) == 1


@pytest.mark.rule("S7", "S10", "F5", "I1", "I3", "I5")
async def test_recording_of_a_killed_worker_is_fetched_by_another_once_and_whole(running: System) -> None:
    first = await running.worker()
    queued = await running.call(duration_s=10.0, channels=2, rate=RATE)
    await running.is_downloading(queued)
    second = await running.worker()
    await first.end(signal.SIGKILL)
    functions = running.parts.functions
    died = await functions.time()
    ends_ms = await functions.client.execute_command("ZSCORE", f"{functions.keys.prefix}leases", queued.id)

    async def claimed_again() -> bool:
        return len(await running.workers_of(queued.id)) == 2

    # By the server's clock, which does not depend on how busy this machine is: one lease time at most.
    assert await claimed_again() or float(ends_ms) / 1000 <= died.timestamp() + LEASE_S
    await until(claimed_again, seconds=60)  # nobody asks for it: it is handed on by itself
    ready = await running.reaches(queued, State.READY, seconds=60)
    claims = await running.workers_of(queued.id)
    assert f"-{first.pid}-" in claims[0]
    assert f"-{second.pid}-" in claims[1]
    assert ready.attempt == 2
    assert ready.kept is not None
    sent = await running.simulator.sha256(running.simulator.recordings[queued.provider_recording_id])
    assert ready.kept.sha256 == sent
    assert await whole(running, queued.provider_recording_id) == 1
    assert_no_overlap(running, queued.provider_recording_id)


@pytest.mark.rule("S4", "S9", "S10", "F5")
async def test_download_much_longer_than_a_lease_keeps_its_slot_and_comes_once(running: System) -> None:
    await running.worker()
    await running.worker()
    queued = await running.call(duration_s=12.0, channels=2, rate=RATE)
    ready = await running.reaches(queued, State.READY)
    assert ready.attempt == 1
    (download,) = [one for one in running.log() if one.recording_sid == queued.provider_recording_id]
    assert download.end - download.start > 2 * LEASE_S


@pytest.mark.rule("I4", "S10")
async def test_frozen_worker_changes_nothing_when_it_wakes(running: System) -> None:
    frozen = await running.worker()
    queued = await running.call(duration_s=10.0, channels=2, rate=RATE)
    await running.is_downloading(queued)
    await running.knows_the_call(queued)  # frozen amid a write it would keep SQLite's lock, from everyone
    frozen.send(signal.SIGSTOP)
    await running.worker()
    ready = await running.reaches(queued, State.READY)
    assert ready.attempt == 2
    frozen.send(signal.SIGCONT)
    assert await frozen.end() == 0
    assert await running.parts.store.get(None, queued.id) == ready
    (load,) = await running.parts.producer.load(["acme"])
    assert load.running == 0


async def test_stopping_worker_hands_back_without_using_up_a_try(tmp_path: Path) -> None:
    async with system(tmp_path, drain_grace=0.2) as running:
        first = await running.worker()
        queued = await running.call(duration_s=10.0, channels=2, rate=RATE)
        await running.is_downloading(queued)
        assert await first.end(signal.SIGTERM) == 0
        back = await running.parts.store.get(None, queued.id)
        assert (back.state, back.tries, back.lost) == (State.QUEUED, 0, 0)
        assert await running.parts.producer.place(queued.id) is Place.WAITING
        await running.worker()
        assert (await running.reaches(queued, State.READY)).tries == 0


@pytest.mark.rule("S5", "F19", "F22", "I8")
async def test_recording_whose_job_was_never_submitted_is_found_by_the_reconciler(running: System) -> None:
    notice = Notice(
        account_id=(await running.parts.store.accounts())[0].id,
        tenant_id=(await running.parts.store.tenants())[0].id,
        provider_recording_id="RE" + "b" * 32,
        call_id=None,
        status=ProviderStatus.COMPLETED,
    )
    recorded = await running.parts.store.record(notice, actor="webhook")
    await make_reconciler(running.parts).resubmit()  # or the server's own was quicker
    assert await running.parts.producer.place(recorded.recording.id) is Place.WAITING
    assert await make_reconciler(running.parts).resubmit() == 0


@pytest.mark.rule("F17")
@pytest.mark.timeout(400)
async def test_a_deploy_forgets_neither_failures_nor_an_open_circuit(tmp_path: Path) -> None:
    async with system(tmp_path, retry_scale=0.1) as running:
        worker = await running.worker()
        failing = await running.call(duration_s=1.0, faults=["503:always"])

        async def has_failed_often() -> bool:  # each try that is left is a probe, and the circuit rests longer after it
            return (await running.parts.store.get(None, failing.id)).tries >= 4

        async def circuit() -> Circuit:
            return (await running.parts.producer.pool_loads(["main"], ["acme"]))[0].circuit

        async def is_open() -> bool:
            return await circuit() is Circuit.OPEN

        await until(has_failed_often, 90)
        await running.call(duration_s=1.0, faults=["401:1"])
        await until(is_open, 90)
        for process in (worker, *running.servers):
            assert await process.end() == 0
        before = await running.parts.store.get(None, failing.id)

        await running.serve()
        assert await circuit() is not Circuit.CLOSED  # before there is a worker, whose probe may close it
        await running.worker()
        assert before.tries >= 4
        failed = await running.reaches(failing, State.FAILED, seconds=120)
        assert failed.tries == len(RETRY_DELAYS) + 1
        answers = [one.status for one in running.log() if one.recording_sid == failing.provider_recording_id]
        # One more where the first worker was told to stop in the midst of one; from zero it would be four more.
        assert answers.count(503) - failed.tries in (0, 1)


@pytest.mark.rule("F12")
async def test_a_worker_with_another_vault_is_told_of_and_not_taken_for_a_lost_recording(
    running: System, tmp_path: Path
) -> None:
    await running.worker(CALLSPOOL_VAULT_URL=f"file://{tmp_path}/elsewhere")
    ready = await running.reaches(await running.call(duration_s=1.0), State.READY)
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
        answer = await client.get(
            f"/api/recordings/{ready.id}/audio", headers={"authorization": f"Bearer {running.key}"}
        )
    assert (answer.status_code, answer.json()["code"]) == (503, "vault_unavailable")
    assert "The vault lacks this recording's file" in answer.json()["detail"]


@pytest.mark.rule("S2", "I8")
async def test_flushed_valkey_loses_time_and_no_recording(running: System) -> None:
    await running.worker()
    calls = [await running.call(duration_s=4.0, channels=2, rate=RATE) for _ in range(5)]
    await running.is_downloading(calls[0])
    await running.parts.functions.client.execute_command("FLUSHALL")
    for call in calls:
        await running.reaches(call, State.READY)
        assert await whole(running, call.provider_recording_id) == 1
        assert_no_overlap(running, call.provider_recording_id)


@pytest.mark.rule("S3", "F7", "F14", "I1")
async def test_failing_recordings_do_not_hold_up_the_others(running: System) -> None:
    await running.worker()
    await running.reaches(await running.call(duration_s=1.0), State.READY)  # the worker is there
    faulty = [await running.call(duration_s=1.0, faults=["404:600"]) for _ in range(6)]
    good = [await running.call(duration_s=1.0) for _ in range(6)]
    last = max([(await running.reaches(call, State.READY)).ready_at for call in good])
    for call in faulty:  # twice as many as there are slots, and none of them keeps one
        assert (await running.parts.store.get(None, call.id)).state in {State.QUEUED, State.FETCHING}
    running.simulator.clock.ahead_s = 600
    for call in faulty:
        assert (await running.reaches(call, State.READY)).ready_at > last
    assert 1 <= highest_concurrency(running.log(), "tag")["acme"] <= 3
    for call in good:
        assert (await running.parts.store.get(None, call.id)).not_ready == 0
    for call in faulty:
        after = await running.parts.store.get(None, call.id)
        answers = [one.status for one in running.log() if one.recording_sid == call.provider_recording_id]
        assert after.not_ready == answers.count(404) == len(answers) - 1 >= 1
        assert after.tries == 0  # "not ready yet" is no failure


@pytest.mark.rule("S1", "F9")
async def test_failed_recording_can_be_retried_at_once(running: System) -> None:
    await running.worker()
    gone = await running.call(duration_s=1.0, faults=["410:1"])
    failed = await running.reaches(gone, State.FAILED)
    assert failed.reason == "gone"
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
        answer = await client.post(
            f"/api/recordings/{gone.id}/retry", headers={"authorization": f"Bearer {running.key}"}
        )
    assert answer.status_code == 202, answer.text
    await running.reaches(gone, State.READY, seconds=10)


@pytest.mark.rule("S6")
async def test_server_alone_takes_no_slot_and_downloads_nothing(running: System) -> None:
    queued = await running.call(duration_s=1.0)
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
        headers = {"authorization": f"Bearer {running.key}"}
        assert (await client.post(f"/api/recordings/{queued.id}/fetch", headers=headers)).status_code == 202
    (load,) = await running.parts.producer.load(["acme"])
    assert (load.running, load.waiting) == (0, 1)
    assert running.log() == []


@pytest.mark.rule("I3")
async def test_encrypted_recording_is_kept_decrypted_once_its_key_is_there(running: System, tmp_path: Path) -> None:
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pem = tmp_path / "key.pem"
    pem.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    sid = "CR" + "d" * 32
    await running.worker()
    queued = await running.call(duration_s=3.0, channels=2, public_key=PublicKey(sid, public.decode()))
    failed = await running.reaches(queued, State.FAILED)
    assert (failed.reason, failed.detail) == ("no_private_key", f"encrypted with {sid}")

    command, _ = await running.run("accounts", "add-key", "main", sid, str(pem))
    assert await command.end_by_itself() == 0
    command, _ = await running.run("retry", queued.id)
    assert await command.end_by_itself() == 0

    ready = await running.reaches(queued, State.READY)
    assert ready.kept is not None
    (made,) = [one for one in running.simulator.recordings.values() if one.sid == queued.provider_recording_id]
    assert ready.kept.sha256 == await running.simulator.sha256(made)
