"""What is kept beside the events, on both engines: repeated webhooks, who listened, answers, the pace."""

from datetime import timedelta

import pytest

from callspool.domain.errors import NotFound
from callspool.domain.ids import AccountId, RecordingId
from callspool.domain.pace import STEP, percentile
from callspool.domain.ports import ProviderStatus, Repeat, Store
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Kept, Recording
from callspool.store import traces
from tests.contract.test_store_lists import add_some, fail
from tests.fixtures.databases import ACME, MAIN, OTHER, SetClock

KEPT = Kept("acme/rec/1.wav", "0" * 64, 1000, "audio/wav", 1, 8000, 12.0, verified=True)


async def keep(store: Store, clock: SetClock, recording: Recording, after: timedelta) -> None:
    clock.pass_by(after)
    claimed = await store.claim(recording.id, actor="worker:1")
    assert claimed is not None
    assert await store.keep(claimed.id, claimed.attempt, KEPT, actor="worker:1") is not None


async def test_repeated_webhooks_are_kept_and_bounded(
    store: Store, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "MOST", 3)
    (recording,) = await add_some(store, clock, [1])

    for status in (ProviderStatus.COMPLETED, ProviderStatus.IN_PROGRESS, *[ProviderStatus.COMPLETED] * 3):
        await store.note_repeat(recording, status)

    timeline = await store.timeline(ACME, recording.id)
    assert timeline.repeats == [
        Repeat(clock.now(), status)
        for status in (ProviderStatus.COMPLETED, ProviderStatus.IN_PROGRESS, ProviderStatus.COMPLETED)
    ]
    assert timeline.history == await store.history(ACME, recording.id)


async def test_who_listens_for_a_while_is_one_listening(store: Store, clock: SetClock) -> None:
    (recording,) = await add_some(store, clock, [1])
    begun = clock.now()

    for actor in ("key:1", "link", "key:1"):
        await store.note_listen(recording, actor=actor)
    clock.pass_by(timedelta(minutes=29))
    await store.note_listen(recording, actor="key:1")
    clock.pass_by(timedelta(minutes=1))
    await store.note_listen(recording, actor="key:1")

    listens = (await store.timeline(None, recording.id)).listens
    assert [(one.actor, one.at) for one in listens] == [("key:1", begun), ("link", begun), ("key:1", clock.now())]


@pytest.mark.rule("I9")
async def test_a_foreign_timeline_is_not_found(store: Store, clock: SetClock) -> None:
    (recording,) = await add_some(store, clock, [1])

    for tenant, id_ in ((OTHER, recording.id), (None, RecordingId("rec_" + "0" * 32))):
        with pytest.raises(NotFound):
            await store.timeline(tenant, id_)


async def test_attempts_keep_the_answer_that_ended_them(store: Store, clock: SetClock) -> None:
    (recording,) = await add_some(store, clock, [1])
    for ended in ("defer", "give_up"):
        claimed = await store.claim(recording.id, actor="worker:1")
        assert claimed is not None
        why = {"reason": Reason.PROVIDER_ERROR, "detail": "", "budget": Budget.TRIES, "actor": "worker:1"}
        later = {"not_before": clock.now()} if ended == "defer" else {}
        await getattr(store, ended)(claimed.id, claimed.attempt, **why, **later, http_status=503)

    history = await store.history(None, recording.id)
    assert [entry.http_status for entry in history] == [None, None, 503, None, 503]


async def test_ends_are_counted_by_step_and_by_time_from_queued_to_ready(store: Store, clock: SetClock) -> None:
    (fast, slow, other, failed) = await add_some(store, clock, range(4))
    begun = clock.now()
    await keep(store, clock, fast, timedelta(seconds=10))
    (foreign,) = await add_some(store, clock, [9], tenant_id=OTHER)
    await keep(store, clock, foreign, timedelta(seconds=1))
    await fail(store, failed)
    clock.pass_by(STEP)
    await fail(store, other)
    await keep(store, clock, slow, timedelta(minutes=1))
    clock.pass_by(timedelta(days=1))
    await store.retry(None, failed.id, actor="cli")
    await keep(store, clock, failed, timedelta(seconds=20))  # from its retry, not from its first notice

    mine = await store.throughput(ACME, begun)
    everything = await store.throughput(None, begun)

    assert [(step.at - mine[0].at, sum(step.ready.values()), step.failed) for step in mine] == [
        (timedelta(), 1, 1),
        (STEP, 1, 1),
        (timedelta(days=1) + STEP, 1, 0),
    ]
    waits = [percentile(step.ready, 0.5) for step in mine]
    assert waits == pytest.approx([12, 60 + STEP.total_seconds() + 15, 20], rel=0.12)
    assert [(sum(step.ready.values()), step.failed) for step in everything] == [(2, 1), (1, 1), (1, 0)]
    assert list(await store.throughput(OTHER, clock.now())) == []
    since_next = mine[1].at
    assert await store.ready_of_tenants([ACME, OTHER], mine[0].at) == {ACME: 3, OTHER: 1}
    assert await store.ready_of_tenants([ACME, OTHER], since_next) == {ACME: 2, OTHER: 0}
    unused = AccountId("unused")
    assert await store.ready_of_accounts([MAIN, unused], mine[0].at) == {MAIN: 4, unused: 0}
