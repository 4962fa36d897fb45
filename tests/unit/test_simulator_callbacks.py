"""Status callbacks as the simulator sends them: Twilio's own validator accepts them, uvicorn receives them."""

import asyncio
import socket

import pytest
from twilio.request_validator import RequestValidator

from callspool.simulator import Account, Simulator
from tests.fixtures.simulator import Posted, Receiver, wait_until


def is_signed(posted: Posted, account: Account, url: str | None = None) -> bool:
    """Say what Twilio's validator says."""
    validator = RequestValidator(account.auth_token)
    return bool(validator.validate(url or posted.url, posted.form, posted.headers["x-twilio-signature"]))


async def test_twilio_validates_the_signature_and_no_other_one(simulator: Simulator, receiver: Receiver) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, duration_s=61.4, channels=2)

    [delivery] = await simulator.announce(recording, receiver.url + "/webhooks/twilio/main?x=%C3%A9&y")

    [posted] = receiver.posted
    assert (delivery.status, delivery.attempt, delivery.error) == (204, 1, None)
    assert is_signed(posted, account)
    assert not is_signed(posted, account, posted.url + "&z")
    assert not RequestValidator("another").validate(posted.url, posted.form, posted.headers["x-twilio-signature"])
    forged = {**posted.form, "RecordingDuration": "62"}
    assert not RequestValidator(account.auth_token).validate(posted.url, forged, posted.headers["x-twilio-signature"])
    assert posted.form == {
        "AccountSid": account.sid,
        "CallSid": recording.call_sid,
        "RecordingSid": recording.sid,
        "RecordingUrl": f"{simulator.url}/2010-04-01/Accounts/{account.sid}/Recordings/{recording.sid}",
        "RecordingStatus": "completed",
        "RecordingDuration": "61",
        "RecordingChannels": "2",
        "RecordingStartTime": posted.form["RecordingStartTime"],
        "RecordingSource": "RecordVerb",
        "RecordingTrack": "both",
        "ErrorCode": "0",
    }
    assert posted.headers["content-type"].startswith("application/x-www-form-urlencoded")


async def test_signature_covers_the_public_address(simulator: Simulator, receiver: Receiver) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid)
    public = "https://calls.example.com/hooks?tenant=acme"
    await simulator.announce(recording, receiver.url + "/hooks?tenant=acme", public_url_to_sign=public)
    assert is_signed(receiver.posted[0], account, public)
    assert not is_signed(receiver.posted[0], account)


async def test_all_events_are_told_in_their_order(simulator: Simulator, receiver: Receiver) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid)
    absent = simulator.add_recording(account_sid=account.sid, status="absent", error_code=16102)
    await simulator.announce(recording, receiver.url, events=["in-progress", "completed"])
    await simulator.announce(absent, receiver.url)
    told = [(item.form["RecordingStatus"], item.form["RecordingDuration"]) for item in receiver.posted]
    assert told == [("in-progress", "-1"), ("completed", "30"), ("absent", "-1")]
    assert receiver.posted[2].form["ErrorCode"] == "16102"
    assert all(is_signed(item, account) for item in receiver.posted)
    assert len({item.headers["i-twilio-idempotency-token"] for item in receiver.posted}) == 3


async def test_unreachable_address_is_tried_once_more_with_the_same_token(simulator: Simulator) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        attempts = await simulator.announce(recording, f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert [(attempt.attempt, attempt.status, attempt.error) for attempt in attempts] == [
        (1, None, "connect"),
        (2, None, "connect"),
    ]
    assert attempts[0].token == attempts[1].token


async def test_error_is_not_tried_again_unless_the_address_asks_for_it(
    simulator: Simulator, receiver: Receiver
) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid)
    receiver.statuses = [503]
    assert [attempt.status for attempt in await simulator.announce(recording, receiver.url + "/a")] == [503]
    receiver.statuses = [503, 500, 200]
    attempts = await simulator.announce(recording, receiver.url + "/a#rc=4&rp=5xx")
    assert [attempt.status for attempt in attempts] == [503, 500, 200]
    assert len({item.headers["i-twilio-idempotency-token"] for item in receiver.posted[1:]}) == 1
    assert {item.url for item in receiver.posted} == {receiver.url + "/a"}  # what is behind # stays at home
    assert all(is_signed(item, account) for item in receiver.posted)


async def test_answer_that_does_not_come_in_time_is_given_up(receiver: Receiver) -> None:
    async with Simulator(callback_within_s=0.3) as simulator:
        account = simulator.add_account()
        receiver.answers.clear()
        recording = simulator.add_recording(account_sid=account.sid)
        attempts = await simulator.announce(recording, receiver.url + "#rc=5&rp=all")
        assert all(attempt.error == "read" for attempt in attempts)
        assert sum(attempt.seconds for attempt in attempts) == pytest.approx(0.3, abs=0.2)


async def test_duplicates_come_at_once_with_one_token(simulator: Simulator, receiver: Receiver) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, callback_faults=["duplicate:3"])
    receiver.answers.clear()
    simulator.announce_soon(recording, receiver.url)
    await wait_until(lambda: len(receiver.posted) == 3)  # none of them is answered yet
    receiver.answers.set()
    assert len({item.headers["i-twilio-idempotency-token"] for item in receiver.posted}) == 1
    assert len({tuple(item.form.items()) for item in receiver.posted}) == 1


async def test_lost_callback_never_arrives_but_is_noted(simulator: Simulator, receiver: Receiver) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, callback_faults=["lost"])
    [lost] = await simulator.announce(recording, receiver.url)
    assert (lost.error, lost.attempt, receiver.posted) == ("lost", 0, [])
    assert list(simulator.deliveries) == [lost]


async def test_reordered_callbacks_tell_the_end_first(simulator: Simulator, receiver: Receiver) -> None:
    account = simulator.add_account()
    both = simulator.add_recording(account_sid=account.sid, callback_faults=["reordered"])
    await simulator.announce(both, receiver.url, events=["in-progress", "completed"])
    await simulator.announce(both, receiver.url)
    told = [item.form["RecordingStatus"] for item in receiver.posted]
    assert told == ["completed", "in-progress"] * 2


async def test_late_callback_comes_late(simulator: Simulator, receiver: Receiver) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid)
    begun = asyncio.get_running_loop().time()
    await simulator.announce(recording, receiver.url, faults=["late:0.3"])
    assert asyncio.get_running_loop().time() - begun >= 0.3
    assert len(receiver.posted) == 1


def test_callback_faults_come_at_their_rates() -> None:
    from callspool.simulator import CallbackFault

    simulator = Simulator(callback_fault_rates={CallbackFault.parse("lost"): 0.25})
    account = simulator.add_account()
    lost = [simulator.add_recording(account_sid=account.sid).callback_faults for _ in range(400)]
    assert sum(map(bool, lost)) == pytest.approx(100, abs=35)
