"""The simulator speaks Twilio: shown by Twilio's own SDK, and by its published description of the API."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from callspool.simulator import Account, Simulator
from tests.fixtures.simulator import basic, media_path

T = TypeVar("T")


def sdk(simulator: Simulator, account: Account, password: str | None = None) -> Client:
    """Return Twilio's client, led to the simulator."""
    client = Client(account.sid, password or account.auth_token)
    client.api.base_url = simulator.url
    return client


async def ask(question: Callable[[], T]) -> T:
    """Ask what blocks, beside the simulator's loop."""
    return await asyncio.to_thread(question)


async def test_sdk_lists_all_pages_newest_first(simulator: Simulator) -> None:
    account, other = simulator.add_account(), simulator.add_account()
    begun = datetime(2026, 11, 20, 10, tzinfo=UTC)
    made = [simulator.add_recording(account_sid=account.sid, created_at=begun + timedelta(minutes=n)) for n in range(7)]
    simulator.add_recording(account_sid=other.sid)
    client = sdk(simulator, account)

    listed = await ask(lambda: client.recordings.list(page_size=2))

    assert [recording.sid for recording in listed] == [recording.sid for recording in reversed(made)]
    asked = [entry.path for entry in simulator.log.entries]
    assert len(asked) == 4
    assert all("PageToken=PARE" in path for path in asked[1:])
    page = await ask(lambda: client.recordings.page(page_size=2))
    following = await ask(page.next_page)
    assert following is not None
    assert [recording.sid for recording in following] == [made[4].sid, made[3].sid]
    assert [recording.sid for recording in await ask(following.previous_page)] == [made[6].sid, made[5].sid]


async def test_recording_made_between_two_pages_shifts_nothing(simulator: Simulator) -> None:
    account = simulator.add_account()
    made = [simulator.add_recording(account_sid=account.sid) for _ in range(4)]
    client = sdk(simulator, account)
    page = await ask(lambda: client.recordings.page(page_size=2))
    first = [recording.sid for recording in page]
    simulator.add_recording(account_sid=account.sid)
    second = [recording.sid for recording in await ask(page.next_page)]
    assert first + second == [recording.sid for recording in reversed(made)]


async def test_sdk_filters_by_date_call_and_conference(simulator: Simulator) -> None:
    account = simulator.add_account()
    day = datetime(2026, 11, 20, tzinfo=UTC)

    def make(at: datetime, **given: Any) -> str:
        return simulator.add_recording(account_sid=account.sid, created_at=at, **given).sid

    before = make(day - timedelta(seconds=1))
    midnight = make(day)
    evening = make(day + timedelta(hours=20))
    after = make(day + timedelta(days=1), conference_sid="CF" + "a" * 32)
    client = sdk(simulator, account)

    def sids(**filters: Any) -> set[str]:
        return {recording.sid for recording in client.recordings.list(**filters)}

    assert await ask(lambda: sids(date_created_after=day)) == {midnight, evening, after}
    assert await ask(lambda: sids(date_created_before=day)) == {before, midnight}
    assert await ask(lambda: sids(date_created_after=day, date_created_before=day + timedelta(hours=23))) == {
        midnight,
        evening,
    }
    assert await ask(lambda: sids(date_created="2026-11-20")) == {midnight, evening}
    assert await ask(lambda: sids(date_created=day + timedelta(hours=20))) == {evening}
    assert await ask(lambda: sids(conference_sid="CF" + "a" * 32)) == {after}
    call_sid = simulator.recordings[evening].call_sid
    second = make(day, call_sid=call_sid)
    assert await ask(lambda: sids(call_sid=call_sid)) == {evening, second}
    assert await ask(lambda: {recording.sid for recording in client.calls(call_sid).recordings.list()}) == {
        evening,
        second,
    }


async def test_sdk_fetches_what_was_made(simulator: Simulator) -> None:
    account = simulator.add_account()
    made = simulator.add_recording(account_sid=account.sid, duration_s=61.4, channels=2, source="DialVerb")
    client = sdk(simulator, account)

    got = await ask(lambda: client.recordings(made.sid).fetch())
    call = await ask(lambda: client.calls(made.call_sid).fetch())
    calls = await ask(lambda: client.calls.list(status="completed", from_=call.from_formatted))

    assert (got.status, got.duration, got.channels, got.source) == ("completed", "61", 2, "DialVerb")
    assert got.date_created == made.created_at
    assert got.start_time == made.started_at
    assert got.media_url == f"{simulator.url}/2010-04-01/Accounts/{account.sid}/Recordings/{made.sid}"
    assert (call.sid, call.status, call.duration) == (made.call_sid, "completed", "61")
    assert re.fullmatch(r"\+1555\d{7}", call.from_formatted)
    assert [item.sid for item in calls] == [made.call_sid]


@pytest.mark.parametrize("status", ["in-progress", "processing", "absent"])
async def test_recording_that_is_not_there_yet_has_metadata_but_no_audio(simulator: Simulator, status: str) -> None:
    account = simulator.add_account()
    made = simulator.add_recording(account_sid=account.sid, status=status, duration_s=1)
    got = await ask(lambda: sdk(simulator, account).recordings(made.sid).fetch())
    assert (got.status, got.duration) == (status, "-1")
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        assert (await client.get(media_path(made))).json()["code"] == 20404
        simulator.set_status(made, "completed")
        assert (await client.get(media_path(made))).status_code == 200


async def test_sdk_deletes_softly_and_once(simulator: Simulator) -> None:
    account = simulator.add_account()
    made = simulator.add_recording(account_sid=account.sid)
    client = sdk(simulator, account)

    assert await ask(lambda: client.recordings(made.sid).delete()) is True

    assert await ask(client.recordings.list) == []
    kept = await ask(lambda: client.recordings.list(include_soft_deleted=True))
    assert [(recording.sid, recording.status) for recording in kept] == [(made.sid, "deleted")]
    assert (await ask(lambda: client.recordings(made.sid).fetch(include_soft_deleted=True))).status == "deleted"
    for question in (client.recordings(made.sid).fetch, client.recordings(made.sid).delete):
        with pytest.raises(TwilioRestException) as caught:
            await ask(question)
        assert (caught.value.status, caught.value.code) == (404, 20404)
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as http:
        assert (await http.get(media_path(made))).status_code == 404


async def test_wrong_credentials_are_told_so(simulator: Simulator) -> None:
    account, other = simulator.add_account(), simulator.add_account()
    made = simulator.add_recording(account_sid=account.sid, duration_s=1)
    with pytest.raises(TwilioRestException) as caught:
        await ask(lambda: sdk(simulator, account, "wrong").recordings(made.sid).fetch())
    assert (caught.value.status, caught.value.code) == (401, 20003)
    async with httpx.AsyncClient(base_url=simulator.url) as client:
        for headers in ({}, basic(other), {"Authorization": "Basic !"}, {"Authorization": "Bearer x"}):
            assert (await client.get(media_path(made), headers=headers)).status_code == 401
        assert (await client.get(media_path(made), headers=basic(account))).status_code == 200
        foreign = media_path(made).replace(account.sid, other.sid)
        assert (await client.get(foreign, headers=basic(other))).status_code == 404


async def test_changed_token_and_api_keys_are_heeded(simulator: Simulator) -> None:
    account = simulator.add_account("AC" + "1" * 32, "first", api_keys={"SK" + "2" * 32: "secret"})
    made = simulator.add_recording(account_sid=account.sid)
    by_key = Client("SK" + "2" * 32, "secret", account.sid)
    by_key.api.base_url = simulator.url
    assert len(await ask(by_key.recordings.list)) == 1
    simulator.add_account(account.sid, "second")
    with pytest.raises(TwilioRestException):
        await ask(lambda: sdk(simulator, account, "first").recordings(made.sid).fetch())
    assert len(await ask(sdk(simulator, account, "second").recordings.list)) == 1


async def test_two_channels_of_a_mono_recording_are_refused_with_the_code_for_it(simulator: Simulator) -> None:
    account = simulator.add_account()
    mono = simulator.add_recording(account_sid=account.sid, channels=1, duration_s=1)
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        got = await client.get(media_path(mono, dual=True))
        assert (got.status_code, got.json()["code"]) == (400, 16113)
        assert (await client.get(media_path(mono))).content == await simulator.audio(mono)
        bare = await client.get(media_path(mono).removesuffix(".wav"))
        assert bare.content == await simulator.audio(mono)


async def test_more_downloads_than_the_account_may_have_are_refused(simulator: Simulator) -> None:
    account = simulator.add_account(limit=2)
    made = [simulator.add_recording(account_sid=account.sid, duration_s=1, rate=40_000) for _ in range(3)]
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        got = await asyncio.gather(*(client.get(media_path(recording)) for recording in made))
        assert sorted(answer.status_code for answer in got) == [200, 200, 429]
        assert next(answer for answer in got if answer.status_code == 429).json()["code"] == 20429
        assert (await client.get(media_path(made[0]))).status_code == 200


@pytest.mark.parametrize("query", ["PageSize=0", "PageSize=x", "Page=-1", "PageToken=PARE1", "DateCreated=yesterday"])
async def test_query_that_makes_no_sense_is_refused(simulator: Simulator, query: str) -> None:
    account = simulator.add_account()
    simulator.add_recording(account_sid=account.sid)
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        got = await client.get(f"/2010-04-01/Accounts/{account.sid}/Recordings.json?{query}")
    assert (got.status_code, got.json()["code"]) == (400, 20001)
