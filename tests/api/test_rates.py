"""How often one may ask: a loop gone wild gets 429, and nobody else does."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from callspool.domain.ports.store import Store
from callspool.scheduler.connection import Functions
from tests.api.conftest import Api, SettableClock, new_sid, running


class StillClock(SettableClock):
    """A time that goes on only as a test wants, so that what refills is known."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = super().now()

    def now(self):  # type: ignore[no-untyped-def]
        return self._begun + self.ahead


@pytest.fixture
def clock() -> SettableClock:
    return StillClock()


@pytest.fixture
async def strict(tmp_path: Path, clock: SettableClock, store: Store, functions: Functions) -> AsyncIterator[Api]:
    """An API at which ten requests come at once, and then one a second."""
    async with running(tmp_path, clock, store, functions, api_rate=1, webhook_rate=1) as api:
        yield api


async def test_one_tenant_that_asks_too_often_waits_and_no_other(strict: Api) -> None:
    first = [(await strict.get("/api/recordings")).status_code for _ in range(12)]
    refused = await strict.get("/api/recordings")

    assert first == [200] * 10 + [429] * 2
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (
        429,
        "too_many_requests",
        "1",
    )
    assert (await strict.get("/api/recordings", "bravo")).status_code == 200
    assert (await strict.get("/api/recordings", "operator")).status_code == 200
    strict.clock.ahead = timedelta(seconds=1)
    assert (await strict.get("/api/recordings")).status_code == 200
    assert (await strict.get("/api/recordings")).status_code == 429


@pytest.mark.rule("F28")
async def test_a_click_on_play_is_never_refused(strict: Api) -> None:
    recording = await strict.ready()
    while (await strict.get("/api/recordings")).status_code != 429:
        pass

    for _ in range(15):
        assert (await strict.post(f"/api/recordings/{recording.id}/fetch")).status_code == 200
        answer = await strict.post(f"/api/recordings/{recording.id}/playback")
        assert answer.status_code == 200
        link = answer.json()["url"].removeprefix(strict.services.settings.public_url)
        assert (await strict.client.get(link)).status_code == 200
        assert (await strict.get(f"/api/recordings/{recording.id}")).status_code == 200


async def test_an_account_s_webhooks_are_counted_once_they_are_signed(strict: Api) -> None:
    unsigned = [(await strict.webhook(signature="bm90IGl0")).status_code for _ in range(15)]
    answers = await asyncio.gather(*(strict.webhook(RecordingSid=new_sid("RE")) for _ in range(12)))
    other = await strict.webhook("/webhooks/twilio/second/bravo")

    assert set(unsigned) == {403}
    assert sorted(answer.status_code for answer in answers) == [204] * 10 + [429] * 2
    assert other.status_code == 204


async def test_a_clock_that_is_put_back_shuts_nobody_out(strict: Api) -> None:
    strict.clock.ahead = timedelta(hours=1)
    assert (await strict.get("/api/recordings")).status_code == 200
    strict.clock.ahead = timedelta()

    assert (await strict.get("/api/recordings")).status_code == 200


async def test_zero_is_no_limit(tmp_path: Path, clock: SettableClock, store: Store, functions: Functions) -> None:
    async with running(tmp_path, clock, store, functions, api_rate=0, webhook_rate=0) as api:
        assert {(await api.get("/api/recordings")).status_code for _ in range(30)} == {200}
        assert {(await api.webhook()).status_code for _ in range(30)} == {204}
