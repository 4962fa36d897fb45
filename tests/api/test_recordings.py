"""Recordings: lists, one, and what a person may ask for."""

import asyncio
import json
import secrets

import pytest

from callspool.domain.job import Job, Place
from callspool.domain.reasons import POLICIES, Reason
from callspool.scheduler.connection import Functions
from tests.api.conftest import Api


@pytest.mark.rule("F18")
async def test_a_list_has_no_address_of_audio(api: Api) -> None:
    recording = await api.ready()

    answer = await api.get("/api/recordings")

    (row,) = answer.json()["recordings"]
    assert (row["id"], row["state"], row["size"]) == (recording.id, "ready", recording.kept.size)
    assert "audio?" not in answer.text
    assert "http" not in answer.text
    assert "vault" not in answer.text


async def test_a_list_goes_on_where_the_page_ended(api: Api) -> None:
    made_ids = [(await api.record()).id for _ in range(5)]

    first = (await api.get("/api/recordings?limit=3")).json()
    second = (await api.get("/api/recordings", params={"limit": 3, "cursor": first["next_cursor"]})).json()

    assert [row["id"] for row in first["recordings"] + second["recordings"]] == made_ids[::-1]
    assert second["next_cursor"] is None


async def test_filters(api: Api) -> None:
    failed, queued, ready = await api.failed(reason=Reason.GONE), await api.record(), await api.ready("bravo")

    async def ids(query: str, who: str = "operator") -> set[str]:
        answer = await api.get(f"/api/recordings?{query}", who)
        assert answer.status_code == 200, answer.text
        return {row["id"] for row in answer.json()["recordings"]}

    assert await ids("") == {failed.id, queued.id, ready.id}
    assert await ids("state=failed&state=ready") == {failed.id, ready.id}
    assert await ids("reason=gone") == {failed.id}
    assert await ids("tenant=bravo") == {ready.id}
    assert await ids("tenant=acme", "acme") == {failed.id, queued.id}
    assert await ids(f"provider_recording_id={queued.provider_recording_id}") == {queued.id}
    assert await ids("created_before=2020-01-01T00:00:00Z") == set()
    assert await ids("account=other") == set()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=201", "limit"),
        ("limit=0", "limit"),
        ("state=nonsense", "state"),
        ("created_from=2026-01-01T00:00:00", "created_from"),
        ("cursor=%00nonsense", "cursor"),
    ],
)
async def test_a_wrong_value_is_a_problem_that_names_it(api: Api, query: str, field: str) -> None:
    answer = await api.get(f"/api/recordings?{query}")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"].startswith(field)


async def test_one_recording_tells_all_that_happened_to_it(api: Api) -> None:
    failed = await api.failed(reason=Reason.GONE)

    answer = (await api.get(f"/api/recordings/{failed.id}")).json()

    assert answer["sentence"] == POLICIES[Reason.GONE].sentence
    assert [(entry["event"], entry["state"]) for entry in answer["history"]] == [
        ("enqueue", "queued"),
        ("claim", "fetching"),
        ("give_up", "failed"),
    ]


@pytest.mark.rule("S1", "F28")
async def test_a_play_click_joins_the_job_that_waits_and_brings_it_forward(api: Api) -> None:
    recording = await api.deferred()

    answers = await asyncio.gather(*(api.post(f"/api/recordings/{recording.id}/fetch") for _ in range(10)))

    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["state"] for answer in answers} == {"queued"}
    (load,) = await api.services.producer.load(["acme"])
    assert (load.waiting, load.deferred) == (1, 0)
    assert (await api.get(f"/api/recordings/{recording.id}")).json()["not_before"] is None


@pytest.mark.rule("S6", "F1", "F4", "I7")
async def test_a_fetch_request_takes_no_slot(api: Api) -> None:
    recordings = [await api.record() for _ in range(5)]

    for recording in recordings:
        assert (await api.post(f"/api/recordings/{recording.id}/fetch")).status_code == 202

    (load,) = await api.services.producer.load(["acme"])
    assert (load.running, load.waiting) == (0, 5)


@pytest.mark.rule("S1", "F21")
async def test_a_repeated_request_is_answered_with_the_state_and_never_as_ready(api: Api) -> None:
    recording = await api.fetching()

    for _ in range(3):
        answer = await api.post(f"/api/recordings/{recording.id}/fetch")
        assert (answer.status_code, answer.json()["state"], answer.json()["growing"]) == (202, "fetching", True)


async def test_what_the_provider_has_not_completed_comes_without_a_link(api: Api) -> None:
    recording = await api.announced()

    answer = await api.post(f"/api/recordings/{recording.id}/fetch")

    assert (answer.status_code, answer.json()["state"]) == (202, "announced")
    assert (answer.json()["audio_url"], answer.json()["growing"], answer.json()["expires_at"]) == (None, False, None)


async def test_what_is_ready_comes_with_a_link_that_plays(api: Api) -> None:
    recording = await api.ready()

    answer = await api.post(f"/api/recordings/{recording.id}/fetch")

    assert (answer.status_code, answer.json()["state"], answer.json()["growing"]) == (200, "ready", False)
    heard = await api.client.get(answer.json()["audio_url"])
    assert (heard.status_code, len(heard.content)) == (200, recording.kept.size)


@pytest.mark.rule("S8", "F9")
async def test_a_click_on_what_failed_starts_no_job(api: Api) -> None:
    failed = await api.failed(reason=Reason.GONE)

    for _ in range(3):
        answer = await api.post(f"/api/recordings/{failed.id}/fetch")
        assert (answer.status_code, answer.json()["code"]) == (409, "needs_retry")
        assert answer.json()["reason"] == "gone"
        assert "retry-after" not in answer.headers

    assert await api.services.producer.place(failed.id) is Place.UNKNOWN


@pytest.mark.rule("S1")
async def test_a_retry_after_a_failure_is_not_blocked_by_the_dedup_window(api: Api) -> None:
    await api.webhook()
    (queued,) = await api.recordings()
    claimed = await api.services.store.claim(queued.id, actor="worker:test")
    await api.give_up(claimed)

    answer = await api.post(f"/api/recordings/{queued.id}/retry")

    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert await api.services.producer.place(queued.id) is Place.WAITING


@pytest.mark.rule("S1", "F19")
async def test_a_retry_before_the_worker_has_settled_runs_at_once_after_that(api: Api, functions: Functions) -> None:
    """Its failure is committed, or it was cancelled, and its slot is still held."""
    producer = api.services.producer
    await producer.set_pool("main", limit=9, paused=False)
    await producer.set_tenant("acme", slots=1, weight=1, paused=False)
    await functions.call("open")

    async def turn(room: int, *settled: tuple[str, str]) -> list[str]:
        ends = json.dumps([(*one, "done", 0, 0, "none", 0) for one in settled])
        answer = await functions.call("turn", secrets.token_hex(4), "w1", "", 30_000, room, ends, "")
        fields: list[str] = json.loads(answer)[1:]
        return fields

    for how in ("cancel", "fail"):
        recording = await api.record()
        await producer.submit(Job(recording.id, "main", "acme"))
        (_, _, _, _, token) = await turn(1)
        claimed = await api.services.store.claim(recording.id, actor="worker:test")
        assert claimed is not None
        if how == "cancel":
            assert (await api.post(f"/api/recordings/{recording.id}/cancel")).status_code == 200
        else:
            await api.give_up(claimed)
        retried = await api.post(f"/api/recordings/{recording.id}/retry")
        assert (retried.status_code, retried.json()["place"]) == (202, "running")
        again = await turn(1, (recording.id, token))
        assert (again[0], again[3]) == (recording.id, "interactive")
        await turn(0, (recording.id, again[4]))


async def test_cancel_stops_it_and_retry_starts_it_again(api: Api) -> None:
    await api.webhook()
    (recording,) = await api.recordings()

    cancelled = await api.post(f"/api/recordings/{recording.id}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert await api.services.producer.place(recording.id) is Place.UNKNOWN
    again = await api.post(f"/api/recordings/{recording.id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")

    retried = await api.post(f"/api/recordings/{recording.id}/retry")
    assert retried.status_code == 202
    history = (await api.get(f"/api/recordings/{recording.id}")).json()["history"]
    assert [entry["event"] for entry in history] == ["enqueue", "cancel", "retry"]
    assert history[1]["actor"].startswith("key:key_")


async def test_what_is_ready_cannot_be_retried(api: Api) -> None:
    recording = await api.ready()

    answer = await api.post(f"/api/recordings/{recording.id}/retry")

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


@pytest.mark.rule("F6")
async def test_with_valkey_away_a_click_is_kept_in_the_store(api_without_valkey: Api) -> None:
    api = api_without_valkey
    recording = await api.deferred()

    answer = await api.post(f"/api/recordings/{recording.id}/fetch")

    assert (answer.status_code, answer.json()["place"]) == (202, None)
    assert (await api.get(f"/api/recordings/{recording.id}")).json()["not_before"] is None
    tenants = (await api.get("/api/tenants")).json()["tenants"]
    assert (tenants[0]["running"], tenants[0]["states"]) == (None, {"queued": 1})


async def test_tenants_with_their_slots_and_states(api: Api) -> None:
    await api.failed(reason=Reason.GONE)
    await api.ready("bravo")
    await api.webhook()

    tenants = {row["id"]: row for row in (await api.get("/api/tenants", "operator")).json()["tenants"]}

    assert set(tenants) == {"acme", "bravo"}
    assert tenants["acme"]["states"] == {"failed": 1, "queued": 1}
    assert tenants["acme"]["reasons"] == {"gone": 1}
    assert (tenants["acme"]["waiting"], tenants["acme"]["running"]) == (1, 0)
