"""Work on many recordings, on both engines: each is touched once, whoever dies or works beside."""

import asyncio
from datetime import timedelta

import pytest

from callspool.domain.errors import NotFound
from callspool.domain.ids import AccountId
from callspool.domain.operation import FailedFilter, Operation, OperationState
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Reason
from callspool.domain.recording import Event, Recording, State
from callspool.store import connect
from tests.contract.test_store_lists import add_some, fail
from tests.fixtures.databases import ACME, KEY, MAIN, OTHER, Database, SetClock


async def failed(store: Store, clock: SetClock, count: int, reason: Reason = Reason.TRUNCATED) -> list[Recording]:
    first = await store.last_seq()
    added = await add_some(store, clock, range(1000 * first, 1000 * first + count))
    return [await fail(store, recording, reason) for recording in added]


async def all_of(store: Store, most: int = 3) -> Operation:
    """Work until it is done; return it."""
    while (worked := await store.work_off(most=most)) is not None:
        assert len(worked.queued) <= most
        operation = worked.operation
    return operation


async def states(store: Store, recordings: list[Recording]) -> list[State]:
    return [(await store.get(None, recording.id)).state for recording in recordings]


async def test_all_that_match_are_retried_in_bounded_steps_and_nothing_else(store: Store, clock: SetClock) -> None:
    wanted = await failed(store, clock, 7)
    gone = await failed(store, clock, 2, Reason.GONE)
    which = FailedFilter(tenant_id=ACME, account_id=MAIN, reason=Reason.TRUNCATED)
    assert await store.matching(which) == 7
    assert await store.matching(FailedFilter()) == 9
    assert await store.matching(FailedFilter(tenant_id=OTHER)) == 0
    assert await store.matching(FailedFilter(account_id=AccountId("none"))) == 0

    begun = await store.begin_retry(which, owner=None, actor="key:1")
    assert (begun.matched, begun.done, begun.state, begun.wanted) == (7, 0, OperationState.RUNNING, which)
    worked = await store.work_off(most=3)
    assert worked is not None
    assert [recording.id for recording in worked.queued] == [recording.id for recording in wanted[:3]]
    assert worked.operation == await store.operation(None, begun.id)
    assert (worked.operation.done, worked.operation.state) == (3, OperationState.RUNNING)
    clock.pass_by(timedelta(seconds=5))
    done = await all_of(store)

    assert (done.matched, done.done, done.skipped, done.state, done.ended_at) == (
        *(7, 7, 0),
        *(OperationState.DONE, clock.now()),
    )
    assert await states(store, [*wanted, *gone]) == [State.QUEUED] * 7 + [State.FAILED] * 2
    last = (await store.history(None, wanted[0].id))[-1]
    assert (last.event, last.actor) == (Event.RETRY, "key:1")
    assert await store.work_off(most=3) is None


@pytest.mark.rule("F22")
async def test_it_goes_on_after_a_restart_and_touches_each_once(
    database: Database, store: Store, clock: SetClock
) -> None:
    recordings = await failed(store, clock, 6)
    await store.begin_retry(FailedFilter(), owner=None, actor="key:1")
    await store.work_off(most=4)
    clock.pass_by(timedelta(seconds=1))
    await fail(store, recordings[0])  # again: it had its chance

    restarted = await connect(database.url, clock=clock, secret_key=KEY)
    try:
        done = await all_of(restarted)
    finally:
        await restarted.close()

    assert (done.matched, done.done, done.skipped) == (6, 6, 0)
    retries = [
        sum(entry.event is Event.RETRY for entry in await store.history(None, recording.id)) for recording in recordings
    ]
    assert retries == [1] * 6
    assert (await states(store, recordings))[0] is State.FAILED


async def test_what_fails_after_it_began_is_left_alone_and_what_was_retried_is_skipped(
    store: Store, clock: SetClock
) -> None:
    before = await failed(store, clock, 5)
    operation = await store.begin_retry(FailedFilter(), owner=None, actor="key:1")
    clock.pass_by(timedelta(seconds=1))
    after = await failed(store, clock, 2)
    await store.retry(None, before[3].id, actor="key:2")

    await all_of(store)

    done = await store.operation(None, operation.id)
    assert (done.matched, done.done, done.skipped, done.state) == (5, 4, 1, OperationState.DONE)
    assert await states(store, after) == [State.FAILED] * 2


async def test_several_that_work_at_once_retry_each_recording_once(
    database: Database, store: Store, clock: SetClock
) -> None:
    recordings = await failed(store, clock, 12)
    operations = [await store.begin_retry(FailedFilter(), owner=None, actor=f"key:{n}") for n in range(2)]
    others = [await connect(database.url, clock=clock, secret_key=KEY) for _ in range(3)]

    async def work(one: Store) -> None:
        while any(
            [(await store.operation(None, operation.id)).state is OperationState.RUNNING for operation in operations]
        ):
            await one.work_off(most=2)

    try:
        async with asyncio.timeout(60):
            await asyncio.gather(*(work(one) for one in others))
    finally:
        for other in others:
            await other.close()

    found = [await store.operation(None, operation.id) for operation in operations]
    assert sum(one.done for one in found) == 12
    assert all(one.done + one.skipped == 12 for one in found)
    assert [
        recording.version for recording in (await store.list(RecordingFilter(), cursor=None, limit=50)).recordings
    ] == [recording.version + 1 for recording in recordings]


@pytest.mark.rule("I9")
async def test_an_operation_exists_for_whom_it_is_and_for_the_operator(store: Store) -> None:
    operation = await store.begin_retry(FailedFilter(tenant_id=ACME), owner=ACME, actor="key:1")
    of_operator = await store.begin_retry(FailedFilter(tenant_id=ACME), owner=None, actor="key:2")

    assert await store.operation(ACME, operation.id) == await store.operation(None, operation.id) == operation
    for owner, id_ in ((OTHER, operation.id), (ACME, of_operator.id), (None, "op_" + "0" * 32), (None, "")):
        with pytest.raises(NotFound):
            await store.operation(owner, id_)
