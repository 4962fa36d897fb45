"""Webhooks: who may send them, what they do, what is answered when a part is away."""

import asyncio
import os
import signal
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callspool.domain.job import Place
from callspool.domain.recording import State
from callspool.scheduler.embedded import Embedded
from tests.api.conftest import Api, new_sid


@pytest.mark.rule("S2", "F19", "F27")
async def test_a_webhook_is_committed_then_submitted_then_acknowledged(api: Api) -> None:
    sid = new_sid("RE")

    answer = await api.webhook(RecordingSid=sid)

    assert answer.status_code == 204
    (recording,) = await api.recordings()
    assert (recording.provider_recording_id, recording.state, recording.tenant_id) == (sid, State.QUEUED, "acme")
    assert await api.services.producer.place(recording.id) is Place.WAITING


@pytest.mark.rule("I2")
async def test_a_duplicate_gets_the_same_answer_and_changes_nothing(api: Api) -> None:
    sid = new_sid("RE")
    answers = await asyncio.gather(*(api.webhook(RecordingSid=sid) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {204}
    (recording,) = await api.recordings()
    assert recording.version == 1
    (load,) = await api.services.producer.load(["acme"])
    assert load.waiting == 1


async def test_the_url_names_the_tenant(api: Api) -> None:
    assert (await api.webhook("/webhooks/twilio/main/bravo")).status_code == 204

    (recording,) = await api.recordings()
    assert recording.tenant_id == "bravo"


async def test_a_tenant_that_does_not_exist_is_a_problem(api: Api) -> None:
    answer = await api.webhook("/webhooks/twilio/main/nobody")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert await api.recordings() == []


async def test_the_signature_covers_the_raw_path_and_query(api: Api) -> None:
    assert (await api.webhook("/webhooks/twilio/main?note=a%20b&empty=")).status_code == 204
    signed = await api.webhook("/webhooks/twilio/main?note=a", path_sent="/webhooks/twilio/main?note=b")
    assert signed.status_code == 403


async def test_the_host_header_proves_nothing(api: Api) -> None:
    answer = await api.webhook(headers={"host": "evil.example", "x-forwarded-host": "evil.example"})

    assert answer.status_code == 204


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/webhooks/twilio/main", {"signature": ""}),
        ("/webhooks/twilio/main", {"signature": "bm90IGl0"}),
        ("/webhooks/twilio/main", {"token": "another-token"}),
        ("/webhooks/twilio/unknown", {}),
        ("/webhooks/twilio/main/nobody", {"signature": "bm90IGl0"}),
        ("/webhooks/twilio/UPPER%2e%2e", {}),
    ],
)
async def test_a_stranger_is_refused_and_learns_nothing(api: Api, path: str, given: dict[str, str]) -> None:
    answer = await api.webhook(path, **given)

    assert (answer.status_code, answer.json()["code"]) == (403, "bad_signature")
    assert "main" not in answer.text
    assert await api.recordings() == []


async def test_a_missing_signature_is_a_403(api: Api) -> None:
    answer = await api.client.post("/webhooks/twilio/main", content=b"A=1")

    assert answer.status_code == 403


async def test_a_webhook_that_is_too_large_is_refused(api: Api) -> None:
    announced = await api.client.post("/webhooks/twilio/main", content=b"x" * (64 * 1024 + 1))
    assert (announced.status_code, announced.json()["code"]) == (413, "too_large")

    async def endless() -> "object":
        for _ in range(100):
            yield b"x" * 1024

    chunked = await api.client.post("/webhooks/twilio/main", content=endless())
    assert chunked.status_code == 413


async def test_what_is_signed_but_wrong_names_the_field(api: Api) -> None:
    answer = await api.webhook(RecordingSid="../../etc/passwd")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == "RecordingSid"


@pytest.mark.rule("F23")
async def test_a_duration_of_minus_one_is_not_known(api: Api) -> None:
    assert (await api.webhook(RecordingDuration="-1")).status_code == 204

    (recording,) = await api.recordings()
    assert recording.announced_duration_s is None


@pytest.mark.rule("F13")
async def test_recording_url_is_never_used(api: Api) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/secret.json"
        assert (await api.webhook(RecordingUrl=url)).status_code == 204
        with pytest.raises(BlockingIOError):
            trap.accept()

    (recording,) = await api.recordings()
    assert url not in repr(recording)


async def test_in_progress_is_announced_and_absent_is_absent(api: Api) -> None:
    sid = new_sid("RE")
    assert (await api.webhook(RecordingSid=sid, RecordingStatus="in-progress")).status_code == 204
    assert (await api.states())[sid] == "announced"
    (load,) = await api.services.producer.load(["acme"])
    assert load.waiting == 0

    assert (await api.webhook(RecordingSid=sid, RecordingStatus="absent")).status_code == 204
    assert (await api.states())[sid] == "absent"


@pytest.mark.rule("F6", "I2")
async def test_with_valkey_away_webhooks_are_still_taken_and_nothing_is_granted(api_without_valkey: Api) -> None:
    api = api_without_valkey
    sid = new_sid("RE")

    assert (await api.webhook(RecordingSid=sid)).status_code == 204

    assert (await api.states())[sid] == "queued"
    ready = await api.get("/readyz")
    parts = {"store": "ok", "scheduler": "unavailable", "vault": "ok"}
    assert (ready.status_code, ready.json()["parts"]) == (503, parts)


@pytest.mark.rule("F6", "I2")
async def test_with_a_valkey_that_hangs_the_provider_is_answered_in_its_time(api: Api, valkey_server: Embedded) -> None:
    assert valkey_server.pid is not None
    sid = new_sid("RE")
    os.kill(valkey_server.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):  # Twilio waits 15 s
            answer = await api.webhook(RecordingSid=sid)
    finally:
        os.kill(valkey_server.pid, signal.SIGCONT)

    assert answer.status_code == 204
    assert (await api.states())[sid] == "queued"


@pytest.mark.rule("I2")
async def test_with_the_store_away_nothing_is_acknowledged(api: Api) -> None:
    await api.services.store.close()

    answer = await api.webhook()

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["code"] == "store_unavailable"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300), signature=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126)))
async def test_garbage_is_a_403_and_never_a_500(api: Api, body: bytes, signature: str) -> None:
    answer = await api.client.post(
        "/webhooks/twilio/main",
        content=body,
        headers={"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"},
    )

    assert answer.status_code == 403


async def test_a_webhook_does_not_reopen_what_failed(api: Api) -> None:
    failed = await api.failed()

    answer = await api.webhook(RecordingSid=failed.provider_recording_id)

    assert answer.status_code == 204
    assert (await api.states())[failed.provider_recording_id] == "failed"
