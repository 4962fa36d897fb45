"""Where a Twilio account may be: in a region, below a parent, with its media in a bucket of its own."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from callspool.domain.errors import FetchFailed, InvalidInput
from callspool.domain.ports.provider import Discovers, Subaccount
from callspool.domain.reasons import Reason
from callspool.providers.twilio import PROFILE, Twilio
from callspool.simulator import Account as Theirs
from callspool.simulator import Simulator
from tests.fixtures import made
from tests.fixtures.providers import Provided, account_of
from tests.fixtures.wire import Asked, Reply, serve

DAY = timedelta(days=1)


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    twilio = Twilio()
    yield twilio
    await twilio.close()


def between(twilio: Twilio, simulator: Simulator, theirs: Theirs, **changes: object) -> Provided:
    return Provided("twilio", twilio, account_of(simulator, theirs, **changes), simulator, theirs)


async def listed(one: Provided) -> list[str]:
    now = datetime.now(UTC)
    page = await one.provider.list(one.account, now - DAY, now + DAY)
    return [entry.notice.provider_recording_id for entry in page.entries]


# --- regions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("region", "edge"), [("ie1", ""), ("ie1", "dublin"), ("", "sydney"), ("jp1", "tokyo")])
def test_a_regions_address_is_the_one_that_the_sdk_asks(region: str, edge: str) -> None:
    client = Client("AC1", "x", region=region or None, edge=edge or None, http_client=TwilioHttpClient())
    assert PROFILE.regional is not None
    assert PROFILE.regional(region, edge) == client.get_hostname("https://api.twilio.com")


@pytest.mark.parametrize("word", ["evil.example/", "IE1", "ie1.evil", "a" * 40, "-x"])
def test_what_is_no_region_gets_into_no_address(word: str) -> None:
    assert PROFILE.regional is not None
    for region, edge in ((word, "dublin"), ("ie1", word)):
        with pytest.raises(InvalidInput):
            PROFILE.regional(region, edge)


async def test_another_region_knows_neither_recordings_nor_keys(twilio: Twilio, simulator: Simulator) -> None:
    ireland = await simulator.open_region("ie1")
    theirs = simulator.add_account(region="ie1", api_keys={"SK" + "1" * 32: "key-secret"})
    right = between(twilio, simulator, theirs, base_url=ireland)
    recording = right.make(duration_s=1.0)
    assert await right.download(right.ours(recording)) == await simulator.audio(recording)
    assert await listed(right) == [recording.sid]

    wrong = between(twilio, simulator, theirs)
    for asked in (wrong.download(wrong.ours(recording)), listed(wrong)):
        with pytest.raises(FetchFailed, match=r"20404.*another region") as failed:
            await asked
        assert failed.value.reason is Reason.NOT_READY
    assert await twilio.look_up(wrong.account, recording.sid) is None

    key = {"api_key": "SK" + "1" * 32, "api_secret": "key-secret"}
    assert await listed(between(twilio, simulator, theirs, base_url=ireland, **key)) == [recording.sid]
    with pytest.raises(FetchFailed) as failed:
        await listed(between(twilio, simulator, theirs, **key))
    assert failed.value.reason is Reason.UNAUTHORIZED


# --- subaccounts -------------------------------------------------------------------------------------


async def test_a_subaccount_is_asked_with_its_parents_credentials(twilio: Twilio, simulator: Simulator) -> None:
    parent = simulator.add_account()
    below = simulator.add_account(parent=parent.sid)
    beside = simulator.add_account()
    one = between(twilio, simulator, below, api_key=parent.sid, api_secret=parent.auth_token)
    recording = one.make(duration_s=1.0)

    assert await one.download(one.ours(recording)) == await simulator.audio(recording)
    assert await listed(one) == [recording.sid]
    assert await twilio.call(one.account, one.ours(recording)) is not None
    assert one.read(one.webhook(recording)) is not None  # signed with its own token
    await twilio.delete(one.account, recording.sid)
    assert recording.status == "deleted"

    for stranger in (beside, simulator.add_account(parent=beside.sid)):
        theirs = between(twilio, simulator, stranger, api_key=parent.sid, api_secret=parent.auth_token)
        with pytest.raises(FetchFailed) as failed:
            await listed(theirs)
        assert failed.value.reason is Reason.UNAUTHORIZED


async def test_subaccounts_are_found_over_all_pages(
    twilio: Twilio, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callspool.providers.twilio.FIRST_QUERY", "PageSize=2")
    parent = simulator.add_account()
    below = [simulator.add_account(parent=parent.sid) for _ in range(5)]
    simulator.add_account()
    one = between(twilio, simulator, parent)

    assert isinstance(twilio, Discovers)
    found = await twilio.subaccounts(one.account)
    assert found == [Subaccount(theirs.sid, "Simulated subaccount", "active") for theirs in below]
    assert await twilio.subaccounts(between(twilio, simulator, below[0]).account) == []
    with pytest.raises(FetchFailed):
        await twilio.subaccounts(replace(one.account, auth_token="wrong"))


# --- a bucket of the customer's own ------------------------------------------------------------------


async def test_media_in_a_bucket_are_fetched_there_without_twilios_credentials(
    twilio: Twilio, simulator: Simulator
) -> None:
    one = between(twilio, simulator, simulator.add_account(bucket=True), media_host="127.0.0.1")
    recording = one.make(duration_s=1.0)

    assert await one.download(one.ours(recording)) == await simulator.audio(recording)

    entries = simulator.log.entries
    assert [(entry.origin, entry.status, entry.authorized) for entry in entries] == [
        ("api", 404, True),
        ("api", 200, True),
        ("media", 200, False),
    ]


async def test_a_bucket_is_asked_only_if_it_is_the_accounts_own(twilio: Twilio, simulator: Simulator) -> None:
    theirs = simulator.add_account(bucket=True)
    one = between(twilio, simulator, theirs, media_host="calls.s3.eu-west-1.amazonaws.com")
    recording = one.make(duration_s=1.0)
    with pytest.raises(FetchFailed, match=r"the media are at 127\.0\.0\.1") as failed:
        await one.download(one.ours(recording))
    assert failed.value.reason is Reason.REDIRECT_REFUSED

    none = between(twilio, simulator, theirs)
    with pytest.raises(FetchFailed) as failed:
        await none.download(none.ours(recording))
    assert failed.value.reason is Reason.NOT_READY
    assert not any(entry.origin == "media" for entry in simulator.log.entries)


async def test_what_is_not_ready_yet_is_looked_for_in_no_bucket(twilio: Twilio, simulator: Simulator) -> None:
    one = between(twilio, simulator, simulator.add_account(bucket=True), media_host="127.0.0.1")
    recording = one.make(duration_s=1.0, status="processing")
    with pytest.raises(FetchFailed) as failed:
        await one.download(one.ours(recording))
    assert failed.value.reason is Reason.NOT_READY
    assert not any(entry.origin == "media" for entry in simulator.log.entries)


async def test_a_redirect_to_the_accounts_bucket_may_be_followed_and_to_another_host_not(twilio: Twilio) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole("302 Found", location="https://calls.invalid/x")

    async with serve(answer) as wire:
        for host, reason in (("calls.invalid", Reason.UNREACHABLE), ("other.invalid", Reason.REDIRECT_REFUSED)):
            account = made.account(base_url=wire.url, media_host=host)
            with pytest.raises(FetchFailed) as failed:
                async with twilio.open(account, made.recording()):
                    pass
            assert failed.value.reason is reason
