"""What every store must keep: a recording's moves, on both engines."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from callspool.domain.backoff import LOST_LIMIT
from callspool.domain.errors import Conflict, InvalidInput, NotFound
from callspool.domain.ids import AccountId, RecordingId, TenantId, is_recording_id
from callspool.domain.ports.provider import Notice, ProviderStatus, Recorded
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Event, Kept, Recording, State, Unverified
from tests.fixtures.databases import ACME, MAIN, OTHER, SetClock
from tests.fixtures.made import CA, NOW, RE, account

UNKNOWN = RecordingId("rec_" + "0" * 32)
KEPT = Kept("acme/rec/1.wav", "ab" * 32, 48_044, "audio/wav", 1, 8000, 3.0, verified=True)
UNVERIFIED = replace(KEPT, verified=False, unverified=(Unverified.DURATION, Unverified.CHANNELS))


def notice(status: ProviderStatus = ProviderStatus.COMPLETED, **changes: Any) -> Notice:
    given: dict[str, Any] = {
        "account_id": MAIN,
        "tenant_id": ACME,
        "provider_recording_id": RE,
        "call_id": CA,
        "status": status,
    }
    return Notice(**{**given, **changes})


async def queued(store: Store, **changes: Any) -> Recording:
    return (await store.record(notice(**changes), actor="webhook")).recording


async def fetching(store: Store, **changes: Any) -> Recording:
    claimed = await store.claim((await queued(store, **changes)).id, actor="worker:1")
    assert claimed is not None
    return claimed


async def failed(store: Store) -> Recording:
    row = await fetching(store)
    given_up = await store.give_up(
        row.id, row.attempt, reason=Reason.GONE, detail="410", budget=Budget.TRIES, actor="worker:1"
    )
    assert given_up is not None
    return given_up


async def happened(store: Store, recording: Recording) -> list[Event]:
    return [entry.event for entry in await store.history(None, recording.id)]


# --- notices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "state", "event"),
    [
        (ProviderStatus.IN_PROGRESS, State.ANNOUNCED, Event.ANNOUNCE),
        (ProviderStatus.COMPLETED, State.QUEUED, Event.ENQUEUE),
        (ProviderStatus.ABSENT, State.ABSENT, Event.VANISH),
    ],
)
@pytest.mark.rule("S2")
async def test_first_notice_makes_the_recording_and_its_event_in_one_commit(
    store: Store, status: ProviderStatus, state: State, event: Event
) -> None:
    recorded = await store.record(
        notice(status, duration_s=3.5, channels=2, source="DialVerb", started_at=NOW, error="42"), actor="webhook"
    )

    row = recorded.recording
    assert recorded.changed
    assert is_recording_id(row.id)
    assert (row.state, row.version, row.attempt) == (state, 1, 0)
    assert (row.announced_duration_s, row.announced_channels, row.source, row.started_at) == (3.5, 2, "DialVerb", NOW)
    (entry,) = await store.history(ACME, row.id)
    assert (entry.event, entry.state, entry.version, entry.actor) == (event, state, 1, "webhook")
    assert entry.detail == "provider error 42"
    assert await store.get(ACME, row.id) == row


@pytest.mark.rule("F23")
async def test_recording_of_unknown_duration_is_queued_without_one(store: Store) -> None:
    assert (await queued(store, duration_s=None)).announced_duration_s is None


@pytest.mark.rule("S1")
async def test_fifty_equal_notices_at_once_make_one_row_and_one_event(store: Store) -> None:
    answers = await asyncio.gather(*(store.record(notice(), actor="webhook") for _ in range(50)))

    assert {answer.recording.id for answer in answers} == {answers[0].recording.id}
    assert [answer.changed for answer in answers].count(True) == 1
    assert {answer.recording.state for answer in answers} == {State.QUEUED}
    assert await happened(store, answers[0].recording) == [Event.ENQUEUE]


async def test_later_notice_fills_what_the_first_left_open_while_it_is_queued(store: Store) -> None:
    first = await queued(store, duration_s=7.0)

    again = await store.record(notice(duration_s=9.0, channels=2), actor="webhook")

    # The first word stands.
    assert (again.recording.announced_duration_s, again.recording.announced_channels) == (7.0, 2)
    assert (again.changed, again.recording.version) == (False, first.version)
    assert await happened(store, first) == [Event.ENQUEUE]


@pytest.mark.rule("F24")
async def test_two_recordings_of_one_call_stand_apart(store: Store) -> None:
    first, second = await queued(store), await queued(store, provider_recording_id="RE" + "1" * 32)

    assert first.id != second.id
    assert (first.call_id, second.call_id) == (CA, CA)


@pytest.mark.rule("F20")
async def test_same_provider_id_in_another_account_is_another_recording(store: Store) -> None:
    await store.add_account(account(id=AccountId("second"), default_tenant=OTHER))

    first = await queued(store)
    second = await queued(store, account_id=AccountId("second"), tenant_id=OTHER)

    assert first.id != second.id


async def test_completed_notice_advances_an_announced_recording_and_fills_in_what_is_new(store: Store) -> None:
    begun = await store.record(notice(ProviderStatus.IN_PROGRESS, source="DialVerb", channels=1), actor="webhook")

    ended = await store.record(notice(duration_s=7.0, channels=2), actor="webhook")

    row = ended.recording
    assert ended.changed
    assert (row.id, row.state, row.version) == (begun.recording.id, State.QUEUED, 2)
    assert (row.announced_duration_s, row.announced_channels, row.source) == (7.0, 2, "DialVerb")
    assert await happened(store, row) == [Event.ANNOUNCE, Event.ENQUEUE]


async def test_late_announcement_changes_nothing(store: Store) -> None:
    row = await queued(store)

    late = await store.record(notice(ProviderStatus.IN_PROGRESS, duration_s=99.0), actor="webhook")

    assert late == Recorded(row, changed=False)
    assert await store.get(ACME, row.id) == row


async def test_absent_notice_ends_what_is_queued(store: Store) -> None:
    row = await queued(store)

    gone = await store.record(notice(ProviderStatus.ABSENT, error="31003"), actor="webhook")

    assert gone.changed
    assert (gone.recording.state, gone.recording.detail) == (State.ABSENT, "provider error 31003")
    assert await happened(store, row) == [Event.ENQUEUE, Event.VANISH]


@pytest.mark.parametrize("status", list(ProviderStatus))
async def test_notice_reopens_nothing_that_has_ended(store: Store, status: ProviderStatus) -> None:
    row = await failed(store)

    assert await store.record(notice(status), actor="webhook") == Recorded(row, changed=False)


async def test_first_notice_decides_the_tenant(store: Store) -> None:
    await queued(store)

    second = await store.record(notice(tenant_id=OTHER), actor="webhook")

    assert not second.changed
    assert second.recording.tenant_id == ACME


@pytest.mark.parametrize("unknown", [{"tenant_id": TenantId("nobody")}, {"account_id": AccountId("nothing")}])
async def test_notice_for_an_unknown_tenant_or_account_is_not_found(store: Store, unknown: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match=next(iter(unknown.values()))):
        await store.record(notice(**unknown), actor="webhook")

    assert await store.last_seq() == 0


async def test_text_that_postgresql_cannot_hold_is_made_fit(store: Store) -> None:
    row = await fetching(store, source="a\0b\ud800")

    deferred = await store.defer(
        row.id,
        row.attempt,
        reason=Reason.NOT_AUDIO,
        detail="\0<html>",
        budget=Budget.TRIES,
        not_before=NOW,
        actor="worker:1",
    )

    assert row.source == "a\ufffdb?"
    assert deferred is not None
    assert deferred.detail == "\ufffd<html>"


@pytest.mark.parametrize("unfit", [{"channels": 10**30}, {"started_at": NOW.replace(tzinfo=None)}])
async def test_value_that_no_database_can_hold_is_refused(store: Store, unfit: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        await store.record(notice(**unfit), actor="webhook")


# --- claims and fences -------------------------------------------------------------------------------


async def test_claim_issues_the_next_attempt_and_ends_the_deferral(store: Store, clock: SetClock) -> None:
    first = await fetching(store)
    await store.defer(
        first.id,
        first.attempt,
        reason=Reason.NOT_READY,
        detail="404",
        budget=Budget.NOT_READY,
        not_before=clock.now() + timedelta(hours=1),
        actor="worker:1",
    )

    second = await store.claim(first.id, actor="worker:2")

    assert second is not None
    assert (first.attempt, second.attempt) == (1, 2)
    assert (second.state, second.not_before) == (State.FETCHING, None)
    assert (await store.history(None, first.id))[-1].actor == "worker:2"


@pytest.mark.rule("F8")
async def test_recording_that_waited_for_days_is_not_taken_for_stuck(store: Store, clock: SetClock) -> None:
    row = await queued(store)
    clock.pass_by(timedelta(days=3))

    claimed = await store.claim(row.id, actor="worker:1")

    assert claimed is not None
    assert (claimed.attempt, claimed.lost, claimed.reason) == (1, 0, None)
    assert await happened(store, row) == [Event.ENQUEUE, Event.CLAIM]


async def test_nothing_to_fetch_is_no_claim(store: Store) -> None:
    row = await failed(store)

    assert await store.claim(row.id, actor="worker:1") is None
    assert await store.get(None, row.id) == row


async def test_claim_of_an_unknown_recording_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.claim(UNKNOWN, actor="worker:1")


@pytest.mark.rule("S10", "I4")
async def test_claims_at_once_leave_one_attempt_that_can_write(store: Store) -> None:
    row = await queued(store)

    claims = await asyncio.gather(*(store.claim(row.id, actor=f"worker:{n}") for n in range(4)))
    attempts = sorted(claim.attempt for claim in claims if claim is not None)
    kept = [await store.keep(row.id, attempt, KEPT, actor="worker") for attempt in attempts]

    assert attempts == [1, 2, 3, 4]
    assert [one is not None for one in kept] == [False, False, False, True]


@pytest.mark.rule("F22")
async def test_recording_that_loses_every_worker_fails_with_that_reason(store: Store) -> None:
    row = await fetching(store)

    claims = [await store.claim(row.id, actor=f"worker:{n}") for n in range(LOST_LIMIT)]

    assert [claim.lost for claim in claims[:-1] if claim is not None] == list(range(1, LOST_LIMIT))
    assert claims[-1] is None
    ended = await store.get(None, row.id)
    assert (ended.state, ended.reason, ended.lost) == (State.FAILED, Reason.WORKER_LOST, LOST_LIMIT)
    history = await store.history(None, row.id)
    assert [entry.event for entry in history[-3:]] == [Event.CLAIM, Event.EXPIRE, Event.GIVE_UP]
    assert history[-1].reason is Reason.WORKER_LOST


@pytest.mark.rule("F22")
async def test_worker_that_reports_back_clears_the_count_of_lost_ones(store: Store) -> None:
    row = await fetching(store)
    again = await store.claim(row.id, actor="worker:2")
    assert again is not None
    assert again.lost == 1

    deferred = await store.defer(
        row.id,
        again.attempt,
        reason=Reason.UNREACHABLE,
        detail="",
        budget=Budget.TRIES,
        not_before=NOW,
        actor="worker:2",
    )

    assert deferred is not None
    assert (deferred.lost, deferred.tries) == (0, 1)


def stale_writes(store: Store, row: Recording, attempt: int) -> dict[str, Callable[[], Awaitable[Recording | None]]]:
    why: dict[str, Any] = {"reason": Reason.GONE, "detail": "late", "budget": Budget.TRIES, "actor": "worker:old"}
    return {
        "keep": lambda: store.keep(row.id, attempt, KEPT, actor="worker:old"),
        "defer": lambda: store.defer(row.id, attempt, not_before=NOW, **why),
        "give_up": lambda: store.give_up(row.id, attempt, **why),
        "hand_back": lambda: store.hand_back(row.id, attempt, actor="worker:old"),
    }


WRITES = ["keep", "defer", "give_up", "hand_back"]


@pytest.mark.rule("S10", "I4")
@pytest.mark.parametrize("write", WRITES)
async def test_stale_attempt_changes_nothing(store: Store, write: str) -> None:
    old = await fetching(store)
    new = await store.claim(old.id, actor="worker:new")
    assert new is not None
    seq = await store.last_seq()

    assert await stale_writes(store, old, old.attempt)[write]() is None
    assert await stale_writes(store, old, new.attempt + 1)[write]() is None

    assert await store.get(None, old.id) == new
    assert await store.last_seq() == seq


@pytest.mark.rule("I4")
@pytest.mark.parametrize("write", WRITES)
async def test_worker_changes_nothing_after_a_person_has_cancelled(store: Store, write: str) -> None:
    row = await fetching(store)
    cancelled = await store.cancel(ACME, row.id, actor="key:1")

    assert await stale_writes(store, row, row.attempt)[write]() is None
    assert await store.get(None, row.id) == cancelled


@pytest.mark.rule("I4")
@pytest.mark.parametrize("write", WRITES)
async def test_worker_changes_nothing_once_it_has_reported(store: Store, write: str) -> None:
    row = await fetching(store)
    handed_back = await store.hand_back(row.id, row.attempt, actor="worker:1")

    assert await stale_writes(store, row, row.attempt)[write]() is None
    assert await store.get(None, row.id) == handed_back


async def test_what_is_handed_back_for_a_reason_says_so_and_charges_nothing(store: Store) -> None:
    row = await fetching(store)
    back = await store.hand_back(row.id, row.attempt, actor="worker:1", reason=Reason.SPOOL_FULL)

    assert back is not None
    assert (back.state, back.reason, back.tries, back.not_ready) == (State.QUEUED, Reason.SPOOL_FULL, 0, 0)
    entry = (await store.history(None, row.id))[-1]
    assert (entry.event, entry.reason) == (Event.HAND_BACK, Reason.SPOOL_FULL)


# --- what workers report -----------------------------------------------------------------------------


@pytest.mark.rule("S2")
@pytest.mark.parametrize("kept", [KEPT, UNVERIFIED], ids=["verified", "unverified"])
async def test_kept_recording_says_what_the_vault_holds(store: Store, clock: SetClock, kept: Kept) -> None:
    row = await fetching(store)
    clock.pass_by(timedelta(seconds=9))

    ready = await store.keep(row.id, row.attempt, kept, actor="worker:1")

    assert ready is not None
    assert (ready.state, ready.kept, ready.reason) == (State.READY, kept, None)
    assert ready.ready_at == ready.updated_at == clock.now()
    assert ready.created_at == row.created_at
    assert await store.get(ACME, row.id) == ready


@pytest.mark.rule("F14")
@pytest.mark.parametrize(
    ("budget", "charged"),
    [(Budget.TRIES, (1, 0, 0)), (Budget.NOT_READY, (0, 1, 0)), (Budget.LOST, (0, 0, 1)), (Budget.NONE, (0, 0, 0))],
)
async def test_deferral_is_a_status_and_charges_its_own_budget(
    store: Store, clock: SetClock, budget: Budget, charged: tuple[int, int, int]
) -> None:
    row = await fetching(store)
    later = clock.now() + timedelta(seconds=40, microseconds=123)

    deferred = await store.defer(
        row.id,
        row.attempt,
        reason=Reason.NOT_READY,
        detail="404",
        budget=budget,
        not_before=later,
        actor="worker:1",
    )

    assert deferred is not None
    assert (deferred.state, deferred.not_before) == (State.QUEUED, later)
    assert (deferred.reason, deferred.detail) == (Reason.NOT_READY, "404")
    assert (deferred.tries, deferred.not_ready, deferred.lost) == charged
    entry = (await store.history(None, row.id))[-1]
    assert (entry.event, entry.reason, entry.detail) == (Event.DEFER, Reason.NOT_READY, "404")


@pytest.mark.rule("S2", "F7")
async def test_failed_recording_says_why(store: Store) -> None:
    row = await failed(store)

    assert (row.state, row.reason, row.detail, row.tries) == (State.FAILED, Reason.GONE, "410", 1)


async def test_handed_back_recording_is_queued_at_once_and_charged_nothing(store: Store) -> None:
    row = await fetching(store)

    back = await store.hand_back(row.id, row.attempt, actor="worker:1")

    assert back is not None
    assert (back.state, back.not_before, back.tries, back.not_ready, back.lost) == (State.QUEUED, None, 0, 0, 0)


# --- what people do ----------------------------------------------------------------------------------


@pytest.mark.rule("S1")
async def test_retry_begins_with_fresh_budgets_and_goes_on_with_the_attempts(store: Store) -> None:
    row = await failed(store)

    again = await store.retry(ACME, row.id, actor="key:1")

    assert (again.state, again.attempt, again.version) == (State.QUEUED, 1, row.version + 1)
    assert (again.tries, again.not_ready, again.lost, again.not_before) == (0, 0, 0, None)
    assert (again.reason, again.detail) == (None, None)
    assert Reason.GONE in [entry.reason for entry in await store.history(ACME, row.id)]
    claimed = await store.claim(row.id, actor="worker:2")
    assert claimed is not None
    assert claimed.attempt == 2


async def test_cancelled_recording_can_be_retried(store: Store) -> None:
    row = await queued(store)
    await store.cancel(ACME, row.id, actor="key:1")

    assert (await store.retry(ACME, row.id, actor="key:1")).state is State.QUEUED


async def test_what_cannot_be_done_is_a_conflict_and_changes_nothing(store: Store) -> None:
    row = await failed(store)

    with pytest.raises(Conflict, match="failed"):
        await store.cancel(ACME, row.id, actor="key:1")
    again = await store.retry(ACME, row.id, actor="key:1")
    with pytest.raises(Conflict, match="queued"):
        await store.retry(ACME, row.id, actor="key:1")

    assert await store.get(ACME, row.id) == again


async def test_hastened_recording_is_due_now(store: Store, clock: SetClock) -> None:
    row = await fetching(store)
    await store.defer(
        row.id,
        row.attempt,
        reason=Reason.THROTTLED,
        detail="",
        budget=Budget.NONE,
        not_before=clock.now() + timedelta(hours=1),
        actor="worker:1",
    )

    hastened = await store.hasten(ACME, row.id)

    assert hastened.not_before is None
    assert await store.get(ACME, row.id) == hastened


async def test_that_a_person_waits_is_remembered_until_it_ends(store: Store) -> None:
    row = await queued(store)
    assert row.wanted_at is None
    wanted = await store.hasten(ACME, row.id)
    assert wanted.wanted_at is not None
    assert (wanted.version, wanted.state) == (row.version, row.state)
    assert await store.hasten(ACME, row.id) == wanted

    claimed = await store.claim(row.id, actor="worker:1")
    assert claimed is not None
    assert claimed.wanted_at == wanted.wanted_at
    ended = await store.give_up(
        row.id, claimed.attempt, reason=Reason.GONE, detail="410", budget=Budget.TRIES, actor="worker:1"
    )
    assert ended is not None
    assert ended.wanted_at is None
    assert (await store.retry(ACME, row.id, actor="key:1")).wanted_at is None


async def test_hastening_leaves_alone_what_does_not_wait(store: Store) -> None:
    row = await fetching(store)

    assert await store.hasten(ACME, row.id) == row


@pytest.mark.rule("I9")
async def test_another_tenants_recording_is_not_found(store: Store) -> None:
    row = await failed(store)
    for tenant in (OTHER, TenantId("nobody")):
        with pytest.raises(NotFound):
            await store.get(tenant, row.id)
        with pytest.raises(NotFound):
            await store.history(tenant, row.id)
        with pytest.raises(NotFound):
            await store.hasten(tenant, row.id)
        with pytest.raises(NotFound):
            await store.cancel(tenant, row.id, actor="key:2")
        with pytest.raises(NotFound):
            await store.retry(tenant, row.id, actor="key:2")
        assert await store.events_after(tenant, 0, limit=10) == []
        assert await store.count(tenant) == []

    assert await store.get(ACME, row.id) == row
