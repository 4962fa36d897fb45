"""The store beside a model: whatever happens in whatever order, it moves as the domain's table says, or not at all."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callspool.domain.audit import By
from callspool.domain.backoff import LOST_LIMIT
from callspool.domain.errors import Conflict, IllegalMove
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import MOVES, Event, HistoryEntry, Kept, Recording, State, advance, sources
from tests.fixtures.databases import ACME, MAIN, SetClock

KEPT = Kept("acme/rec/1.wav", "ab" * 32, 48_044, "audio/wav", 1, 8000, 3.0, verified=True)
TOLD = {
    ProviderStatus.IN_PROGRESS: Event.ANNOUNCE,
    ProviderStatus.COMPLETED: Event.ENQUEUE,
    ProviderStatus.ABSENT: Event.VANISH,
}
FIRST = {Event.ANNOUNCE: State.ANNOUNCED, Event.ENQUEUE: State.QUEUED, Event.VANISH: State.ABSENT}
WORKER = (Event.KEEP, Event.DEFER, Event.GIVE_UP, Event.HAND_BACK)

Happening = tuple[Event, int, Budget]
"""An event, an attempt counted from the right one (-1 is stale, 1 not yet given out), what it is charged to."""

told = st.sampled_from([(event, 0, Budget.NONE) for event in TOLD.values()])
reported = st.tuples(st.sampled_from(WORKER), st.sampled_from([0, 0, 0, -1, 1]), st.sampled_from(Budget))
wanted = st.sampled_from([(event, 0, Budget.NONE) for event in (Event.CANCEL, Event.RETRY, Event.PURGE)])
claimed = st.just((Event.CLAIM, 0, Budget.NONE))
# Mostly claims and reports, so that a recording lives long enough to lose many workers.
one: st.SearchStrategy[Happening] = st.sampled_from([claimed] * 8 + [reported] * 3 + [wanted] * 2 + [told]).flatmap(
    lambda kind: kind
)


@dataclasses.dataclass
class Model:
    """What should be, by `advance` alone."""

    state: State
    log: list[tuple[Event, State, int]]
    attempt: int = 0
    tries: int = 0
    not_ready: int = 0
    lost: int = 0
    reason: Reason | None = None

    def step(self, event: Event) -> bool:
        """Move, or say that this cannot be."""
        try:
            self.state = advance(self.state, event)
        except IllegalMove:
            return False
        self.attempt += event is Event.CLAIM
        self.log.append((event, self.state, self.attempt))
        return True

    def claim(self) -> bool:
        """As a worker does: end a dead one's attempt first."""
        if self.step(Event.EXPIRE):
            self.lost += 1
            self.reason = Reason.WORKER_LOST
            if self.lost >= LOST_LIMIT:
                self.step(Event.GIVE_UP)
                return False
        return self.step(Event.CLAIM)

    def report(self, event: Event, attempt: int, budget: Budget) -> bool:
        """As a worker may: only under the current attempt, only while fetching."""
        if attempt != self.attempt or self.state is not State.FETCHING:
            return False
        self.step(event)
        if event in (Event.KEEP, Event.DEFER):
            self.lost = 0
        if event in (Event.DEFER, Event.GIVE_UP):
            self.reason = Reason.INTERRUPTED
            self.tries += budget is Budget.TRIES
            self.not_ready += budget is Budget.NOT_READY
            self.lost += budget is Budget.LOST
        if event is Event.KEEP:
            self.reason = None
        return True

    def person(self, event: Event) -> bool:
        """As a person may."""
        moved = self.step(event)
        if moved and event is Event.RETRY:
            self.tries = self.not_ready = self.lost = 0
            self.reason = None
        return moved


async def do(store: Store, clock: SetClock, row: Recording, happening: Happening) -> bool:
    """Do it to the store; say whether the store says that something moved."""
    event, offset, budget = happening
    attempt = row.attempt + offset
    why: dict[str, Any] = {"reason": Reason.INTERRUPTED, "detail": "", "budget": budget, "actor": "worker:1"}
    match event:
        case Event.ANNOUNCE | Event.ENQUEUE | Event.VANISH:
            return (await tell(store, row.provider_recording_id, event))[1]
        case Event.CLAIM:
            return await store.claim(row.id, actor="worker:1") is not None
        case Event.KEEP:
            return await store.keep(row.id, attempt, KEPT, actor="worker:1") is not None
        case Event.DEFER:
            later = clock.now() + timedelta(seconds=5)
            return await store.defer(row.id, attempt, not_before=later, **why) is not None
        case Event.GIVE_UP:
            return await store.give_up(row.id, attempt, **why) is not None
        case Event.HAND_BACK:
            return await store.hand_back(row.id, attempt, actor="worker:1") is not None
        case Event.PURGE:
            was = await store.get(ACME, row.id)
            return await _happens(store.purge(ACME, row.id, by=By("key:1"), why="")) and was.state is not State.PURGED
    act = store.cancel if event is Event.CANCEL else store.retry
    return await _happens(act(ACME, row.id, actor="key:1"))


async def _happens(work: Awaitable[Recording]) -> bool:
    try:
        await work
    except Conflict:
        return False
    return True


async def tell(store: Store, provider_recording_id: str, event: Event) -> tuple[Recording, bool]:
    """Send the notice that an event comes from."""
    status = next(status for status, told in TOLD.items() if told is event)
    recorded = await store.record(
        Notice(MAIN, ACME, provider_recording_id, call_id=None, status=status), actor="webhook"
    )
    return recorded.recording, recorded.changed


def expect(model: Model, happening: Happening) -> bool:
    """Do it to the model."""
    event, offset, budget = happening
    if event in WORKER:
        return model.report(event, model.attempt + offset, budget)
    if event is Event.CLAIM:
        return model.claim()
    return model.person(event)


@pytest.fixture
def numbers() -> Iterator[int]:
    return count()


@pytest.mark.rule("S2", "I4")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.sampled_from([Event.ENQUEUE, *TOLD.values()]), then=st.lists(one, min_size=4, max_size=40))
async def test_store_moves_as_the_table_of_moves_says(
    store: Store, clock: SetClock, numbers: Iterator[int], first: Event, then: list[Happening]
) -> None:
    row, _ = await tell(store, f"RE{next(numbers)}", first)
    model = Model(FIRST[first], [(first, FIRST[first], 0)])
    for happening in then:
        clock.pass_by(timedelta(milliseconds=1))

        moved = await do(store, clock, row, happening)

        assert moved == expect(model, happening), happening
        row = await store.get(ACME, row.id)
        assert (row.state, row.attempt, row.version) == (model.state, model.attempt, len(model.log))
        assert (row.tries, row.not_ready, row.lost, row.reason) == (
            model.tries,
            model.not_ready,
            model.lost,
            model.reason,
        )
        assert (row.kept is not None) == any(event is Event.KEEP for event, _, _ in model.log)
        assert row.reason is not None or row.state is not State.FAILED
    history = await store.history(ACME, row.id)
    assert [(entry.event, entry.state, entry.attempt) for entry in history] == model.log
    assert [entry.version for entry in history] == list(range(1, len(model.log) + 1))
    check_order(history)


def check_order(history: Any) -> None:
    """The numbers of one recording's events rise with its versions."""
    entries: list[HistoryEntry] = list(history)
    assert [entry.seq for entry in entries] == sorted(entry.seq for entry in entries)


@pytest.mark.rule("I4", "S10")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(together=st.lists(one, min_size=2, max_size=8))
async def test_what_happens_at_the_same_moment_happens_in_some_order(
    store: Store, clock: SetClock, numbers: Iterator[int], together: list[Happening]
) -> None:
    row, _ = await tell(store, f"RE{next(numbers)}", Event.ENQUEUE)
    begun = await store.claim(row.id, actor="worker:1")
    assert begun is not None

    await asyncio.gather(*(do(store, clock, begun, happening) for happening in together))

    history = await store.history(ACME, row.id)
    state = State.QUEUED
    for entry in history[1:]:
        state = advance(state, entry.event)
        assert entry.state is state
    now = await store.get(ACME, row.id)
    assert (now.state, now.version, now.attempt) == (state, len(history), history[-1].attempt)
    assert [entry.version for entry in history] == list(range(1, len(history) + 1))
    assert [entry.attempt for entry in history if entry.event is Event.CLAIM] == list(range(1, now.attempt + 1))
    check_order(history)


def test_every_event_leads_to_one_state_so_that_one_update_can_make_it() -> None:
    for event in Event:
        assert len({MOVES[source, event] for source in sources(event)}) <= 1


def test_what_is_not_in_the_table_is_refused() -> None:
    for state in State:
        for event in Event:
            if (state, event) not in MOVES:
                with pytest.raises(IllegalMove):
                    advance(state, event)
