"""The outermost loop of what works beside the server: nothing that goes wrong within ends it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
import structlog

from callspool.domain.errors import SchedulerUnavailable, StoreUnavailable
from callspool.loop import for_ever
from callspool.reconcile.courier import Courier
from callspool.reconcile.operations import OperationRunner
from callspool.reconcile.reconciler import Reconciler
from callspool.settings import Settings
from tests.fixtures.memory import RealTime, Rings

SOON = timedelta(seconds=0.01)


async def logged_until(work: Coroutine[Any, Any, None], is_enough: Callable[[], bool]) -> list[str]:
    """Run *work* until it is enough and return what was logged; it must not have ended by itself."""
    with structlog.testing.capture_logs() as log:
        running = asyncio.create_task(work)
        async with asyncio.timeout(10):
            while not is_enough():
                await asyncio.sleep(0.005)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return [entry["event"] for entry in log]


async def test_a_part_that_is_away_and_a_defect_are_rested_from_and_told() -> None:
    turns = iter([StoreUnavailable("away"), KeyError("a defect"), None, ZeroDivisionError(), None])
    left = 5

    async def turn() -> None:
        nonlocal left
        left -= 1
        error = next(turns, None)
        if error is not None:
            raise error

    events = await logged_until(for_ever("work", turn, rest=SOON), lambda: left <= 0)

    assert events == ["work.put_off", "work.broke", "work.goes_on", "work.broke"]


async def test_a_part_that_stays_away_is_told_of_ever_more_rarely_and_once_when_it_is_back() -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1
        if turns != 60:
            raise StoreUnavailable("away")

    events = await logged_until(for_ever("work", turn, rest=SOON), lambda: turns >= 62)

    back = events.index("work.goes_on")
    assert 2 <= back <= 20, "each line comes after twice the time of the one before"
    assert events.count("work.goes_on") == 1
    assert events[back + 1] == "work.put_off", "the next time it is told of at once"


class AwayAtFirst:
    """A store with nothing in it, and a scheduler that answers when it is asked for the third time."""

    asked = 0

    async def epoch(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)  # others have their turn
        if self.asked < 3:
            raise SchedulerUnavailable("away")
        return 1

    async def pending_deliveries(self, *args: Any, **given: Any) -> list[Any]:
        return []

    async def forget_deliveries(self, *args: Any, **given: Any) -> None:
        pass


async def test_who_follows_hints_tells_of_the_end_though_its_turn_has_none() -> None:
    part: Any = AwayAtFirst()
    settings = Settings.read({}, reconcile_every=100)
    courier = Courier(store=part, producer=part, bulletin=Bells(), clock=RealTime(), settings=settings)

    events = await logged_until(courier.run(), lambda: part.asked >= 5)

    assert events == ["webhooks.put_off", "webhooks.put_off", "webhooks.goes_on"]


class Deaf:
    """A scheduler that misses the first cancellation, as `asyncio.wait_for` may."""

    asked = 0

    async def epoch(self) -> int:
        self.asked += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self.asked > 1:
                raise
        raise SchedulerUnavailable("away")


async def test_the_reconciler_ends_though_its_cancellation_is_missed() -> None:
    part: Any = Deaf()
    settings = Settings.read({}, reconcile_every=0.1)
    reconciler = Reconciler(store=part, producer=part, clock=RealTime(), settings=settings)
    running = asyncio.create_task(reconciler.run())
    async with asyncio.timeout(30):
        while not part.asked:
            await asyncio.sleep(0)
        reconciler.stop()
        await running


async def test_defects_one_after_the_other_are_met_ever_more_rarely() -> None:
    times: list[float] = []

    async def turn() -> None:
        times.append(asyncio.get_running_loop().time())
        raise KeyError("always")

    await logged_until(for_ever("work", turn, rest=SOON), lambda: len(times) == 6)

    assert times[-1] - times[-2] >= 16 * SOON.total_seconds()


class Broken:
    """A store or a scheduler of which every part makes a mistake."""

    calls = 0

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def broken(*args: Any, **given: Any) -> Any:
            self.calls += 1
            raise KeyError(name)

        return broken


class Bells(Rings):
    """It rings all the time."""

    async def listen(self) -> AsyncIterator[None]:
        while True:
            yield None


@pytest.mark.parametrize("name", ["courier", "operations", "reconcile"])
async def test_a_defect_ends_none_of_those_that_work_beside_the_server(name: str) -> None:
    parts: dict[str, Any] = {"store": Broken(), "producer": Broken()}
    rest: dict[str, Any] = {"clock": RealTime(), "settings": Settings.read({}, reconcile_every=0.1)}
    match name:
        case "courier":
            work = Courier(**parts, **rest, bulletin=Bells()).run()
        case "operations":
            work = OperationRunner(**parts, bulletin=Bells()).run()
        case _:
            work = Reconciler(**parts, **rest).run()

    events = await logged_until(work, lambda: parts["store"].calls + parts["producer"].calls >= 2)

    assert events[:2] == [f"{'webhooks' if name == 'courier' else name}.broke"] * 2
