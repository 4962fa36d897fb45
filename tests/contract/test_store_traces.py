"""What is kept beside the events, on both engines: repeated webhooks, who listened, answers, the pace."""

from datetime import datetime, timedelta

import pytest

from callspool.domain.audit import By, Deed
from callspool.domain.errors import NotFound
from callspool.domain.ids import AccountId, RecordingId
from callspool.domain.listening import HEARD, LISTEN, Listen, ListenForm, ListenResult, Sum, Told
from callspool.domain.pace import STEP, percentile
from callspool.domain.ports.history import Repeat
from callspool.domain.ports.provider import ProviderStatus
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Kept, Recording
from callspool.store import traces
from tests.contract.test_store_lists import add_some, fail
from tests.fixtures.databases import ACME, MAIN, OTHER, Database, SetClock

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


def told(recording: Recording, number: int, by: str = "key") -> Told:
    return Told(f"{number:016x}", recording.id, recording.tenant_id, recording.attempt, ListenForm.AUDIO, by)


def summed(first: datetime, last: datetime, end: int = 1000) -> Sum:
    return Sum(
        requests=3,
        sent=end,
        spans=((0, end),),
        is_coarse=False,
        size=1000,
        first=first,
        last=last,
        redirected=False,
    )


async def test_a_timeline_has_the_listenings_of_the_audit_log_each_once(store: Store, clock: SetClock) -> None:
    (recording, other) = await add_some(store, clock, [1, 2])
    begun, by, second = clock.now(), By("user:anna", "192.0.2.7"), timedelta(seconds=1)
    whole, linked, foreign = told(recording, 1), told(recording, 2, "link"), told(other, 3)

    await store.audit_all([Deed(one.begun(), by, begun) for one in (whole, linked, foreign)])
    await store.audit_all(
        [
            Deed(whole.heard(summed(begun, begun + second, 10), so_far=True), by, begun + 2 * second),
            Deed(whole.heard(summed(begun, begun + 3 * second), so_far=False), by, begun + 4 * second),
        ]
    )

    listens = (await store.timeline(ACME, recording.id)).listens
    assert listens == [
        Listen(begun, "user:anna", False, ListenForm.AUDIO, begun + 3 * second, 1000, ListenResult.COMPLETE),
        Listen(begun, "user:anna", True, ListenForm.AUDIO),
    ]
    assert [entry.action for entry in await store.audit_log(None, limit=5)] == [HEARD, HEARD, LISTEN, LISTEN, LISTEN]


async def test_what_older_versions_noted_is_in_the_timeline_still(
    store: Store, clock: SetClock, database: Database
) -> None:
    (recording,) = await add_some(store, clock, [1])
    database.execute(
        "INSERT INTO listens (recording_id, tenant_id, at, actor) "
        f"VALUES ('{recording.id}', 'acme', '2026-11-01 10:00:00+00:00', 'link')"
    )
    await store.audit_all([Deed(told(recording, 1).begun(), By("key:1"), clock.now())])

    listens = (await store.timeline(ACME, recording.id)).listens
    assert [(one.actor, one.by_link, one.how) for one in listens] == [
        ("link", True, None),
        ("key:1", False, ListenForm.AUDIO),
    ]


async def test_of_many_listenings_the_newest_are_told(
    store: Store, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traces, "MOST", 3)
    (recording,) = await add_some(store, clock, [1])
    await store.audit_all([Deed(told(recording, n).begun(), By(f"key:{n}"), clock.now()) for n in range(9)])

    assert [one.actor for one in (await store.timeline(ACME, recording.id)).listens] == ["key:6", "key:7", "key:8"]


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
