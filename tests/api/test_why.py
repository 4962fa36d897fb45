"""Why a recording waits: the same question at every state, and nothing of others in the answer."""

from datetime import datetime, timedelta

import pytest

from callspool.domain.job import Job
from callspool.scheduler.connection import Functions
from callspool.scheduler.producer import ValkeyProducer
from tests.api.conftest import Api

NOTHING = dict.fromkeys(("account", "tenant", "until", "held", "limit", "set_limit"))


async def why(api: Api, recording_id: str, who: str = "acme") -> dict[str, object]:
    answer = await api.get(f"/api/recordings/{recording_id}/why", who)
    assert answer.status_code == 200, answer.text
    told: dict[str, object] = answer.json()
    return told


async def test_a_waiting_recording_says_what_it_waits_for(api: Api) -> None:
    await api.webhook()
    (recording,) = await api.recordings()

    told = await why(api, recording.id)

    assert told["place"] == "waiting"
    assert told["ahead"] == 0
    assert isinstance(told["obstacle"], dict)
    assert told["obstacle"]["code"] in {"no_worker", "tenant_unknown"}
    assert str(told["sentence"]).endswith("it is 1st in its line.")


async def test_a_deferred_recording_says_until_when_and_because_of_what(api: Api) -> None:
    recording = await api.deferred()
    await api.services.producer.submit_many(
        [(Job(recording.id, "main", "acme"), recording.not_before - api.clock.now())]
    )

    told = await why(api, recording.id)

    assert told["place"] == "deferred"
    assert str(told["sentence"]).startswith("It is put off until ")
    assert isinstance(told["obstacle"], dict)
    assert told["obstacle"]["code"] == "put_off"
    due = datetime.fromisoformat(str(told["obstacle"]["until"]))
    assert abs(due - recording.not_before) < timedelta(seconds=5)


async def test_what_has_ended_says_how(api: Api) -> None:
    ready, failed, absent = await api.ready(), await api.failed(), await api.absent()

    assert (await why(api, ready.id))["sentence"] == "It is ready."
    assert (await why(api, ready.id))["obstacle"] is None
    assert "deleted" in str((await why(api, failed.id))["sentence"])
    assert "no recording" in str((await why(api, absent.id))["sentence"])


async def test_without_the_scheduler_the_store_still_answers(api_without_valkey: Api) -> None:
    api = api_without_valkey
    recording = await api.record()

    told = await why(api, recording.id)

    assert (told["state"], told["place"]) == ("queued", None)
    assert told["obstacle"] == {"code": "scheduler_away", **NOTHING}
    assert "goes on when the scheduler answers" in str(told["sentence"])


@pytest.mark.rule("I9")
async def test_a_tenant_learns_no_figures_of_a_shared_account(api: Api, functions: Functions) -> None:
    producer = ValkeyProducer(functions)
    await producer.open()
    await producer.set_pool("main", limit=2, paused=False)
    for tenant in ("acme", "bravo"):
        await producer.set_tenant(tenant, slots=3, weight=1, paused=False)
    # bravo's jobs fill the account that acme shares with it
    await producer.submit_many([(Job(f"b{n}", "main", "bravo"), None) for n in range(2)])
    await functions.call("turn", "request-1", "w1", "", 30_000, 2, "[]")
    await api.webhook()
    (recording,) = await api.recordings()

    ours, operator_s = await why(api, recording.id), await why(api, recording.id, "operator")

    of_main = {**NOTHING, "account": "main"}
    assert operator_s["obstacle"] == {"code": "account_full", **of_main, "held": 2, "limit": 2}
    assert ours["obstacle"] == {"code": "account_busy", **of_main}
    assert str(operator_s["sentence"]).startswith("2 of 2 downloads of account main are busy")
    assert str(ours["sentence"]).startswith("Account main is busy with as many downloads as it may have")


async def test_a_tenant_without_slots_and_an_account_without_downloads_are_told_so(
    api: Api, functions: Functions
) -> None:
    producer = ValkeyProducer(functions)
    await producer.open()
    await api.webhook()
    (recording,) = await api.recordings()

    await producer.set_tenant("acme", slots=0, weight=1, paused=False)
    assert (await why(api, recording.id))["obstacle"] == {"code": "tenant_no_slots", **NOTHING, "tenant": "acme"}
    await producer.set_tenant("acme", slots=1, weight=1, paused=False)
    await producer.set_pool("main", limit=0, paused=False)
    assert (await why(api, recording.id))["obstacle"] == {"code": "account_no_downloads", **NOTHING, "account": "main"}


async def test_a_recording_whose_job_a_drain_dropped_says_that_and_what_ends_it(api: Api, functions: Functions) -> None:
    await api.webhook()
    (recording,) = await api.recordings()
    await ValkeyProducer(functions).drain(["acme"])

    told = await why(api, recording.id)

    assert (told["place"], told["ahead"], told["obstacle"]) == ("unknown", None, {"code": "draining", **NOTHING})
    assert str(told["sentence"]).startswith("The scheduler is drained and grants nothing until ")
    assert "callspool drain --undo" in str(told["sentence"])
