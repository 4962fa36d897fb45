"""The outermost loop of what works beside the server: nothing that goes wrong within ends it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
import structlog

from callspool.domain.errors import StoreUnavailable
from callspool.reconcile.courier import Courier
from callspool.reconcile.loop import for_ever
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

    assert events == ["work.put_off", "work.broke", "work.broke"]


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
