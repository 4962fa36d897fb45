"""Telnyx alone: addresses that expire, events that are not ours, pages by time."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from callspool.domain.errors import BadSignature, FetchFailed, InvalidInput
from callspool.domain.ids import TenantId
from callspool.domain.ports.provider import ProviderStatus, WebhookRequest
from callspool.domain.reasons import Reason
from callspool.providers.telnyx import Telnyx
from callspool.simulator import Simulator
from callspool.simulator.signing import KeyPair
from tests.fixtures import made
from tests.fixtures.providers import Provided, account_of
from tests.fixtures.wire import Asked, Reply, serve

ID = "0193a4b5-c6d7-4e8f-90a1-b2c3d4e5f607"
KEYS = KeyPair("test")
URL = "https://calls.example.com/webhooks/telnyx/main"


@pytest.fixture
async def provided(simulator: Simulator) -> AsyncIterator[Provided]:
    theirs = simulator.add_account(provider="telnyx")
    module = Telnyx(stall_timeout=timedelta(seconds=5))
    yield Provided("telnyx", module, account_of(simulator, theirs), simulator, theirs)
    await module.close()


def event(kind: str = "call.recording.saved", **payload: object) -> bytes:
    given = {"recording_id": ID, "channels": "dual", **payload}
    return json.dumps({"data": {"event_type": kind, "payload": given}}).encode()


def signed(body: bytes, timestamp: str = "1764000000") -> WebhookRequest:
    headers = {"telnyx-timestamp": timestamp, "telnyx-signature-ed25519": KEYS.sign(timestamp, body)}
    return WebhookRequest(URL, headers, body)


def read(request: WebhookRequest) -> object:
    account = made.account(provider="telnyx", account_sid="", signing_key=KEYS.public)
    return Telnyx().read_webhook(account, TenantId("acme"), request)


async def test_an_address_that_has_expired_is_asked_for_again(provided: Provided) -> None:
    """The first address is refused as expired, and the next is good: the job goes on as if nothing had been."""
    asked_for: list[str] = []

    async def answer(asked: Asked, reply: Reply) -> None:
        asked_for.append(asked.target)
        if asked.target.startswith("/v2/"):
            urls = {"wav": f"{wire.url}/media/{len(asked_for)}"}
            document = {"data": {"id": ID, "duration_millis": 1500, "download_urls": urls}}
            await reply.whole("200 OK", json.dumps(document).encode())
        elif asked.target == "/media/1":
            await reply.whole("403 Forbidden", b"<Error><Message>Request has expired</Message></Error>")
        else:
            assert "authorization" not in asked.headers or wire.url  # the same origin here
            await reply.whole("200 OK", b"audio")

    async with serve(answer) as wire:
        account = replace(provided.account, base_url=wire.url)
        async with provided.provider.open(account, made.recording(provider_recording_id=ID)) as media:
            assert b"".join([bytes(chunk) async for chunk in media.chunks()]) == b"audio"
            assert media.duration_s == 1.5
    assert asked_for == [f"/v2/recordings/{ID}", "/media/1", f"/v2/recordings/{ID}", "/media/3"]


async def test_addresses_that_are_refused_again_and_again_are_a_failure_that_is_tried_later(provided: Provided) -> None:
    recording = provided.make(duration_s=1.0)
    provided.theirs.url_lifetime_s = -1.0

    with pytest.raises(FetchFailed) as failure:
        await provided.download(provided.ours(recording))
    assert failure.value.reason is Reason.PROVIDER_ERROR

    provided.theirs.url_lifetime_s = 600.0
    assert await provided.download(provided.ours(recording))


@pytest.mark.parametrize(
    "address",
    [
        "http://files.telnyx.com/x",
        "https://evil.example.com/x",
        "https://telnyx.com.evil.example.com/x",
        "https://10.0.0.1/x",
        "https://user:pass@files.telnyx.com/x",
        "file:///etc/passwd",
        "https://[::1",
    ],
)
async def test_an_address_where_no_media_can_be_is_not_asked(provided: Provided, address: str) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole("200 OK", json.dumps({"data": {"id": ID, "download_urls": {"wav": address}}}).encode())

    async with serve(answer) as wire:
        account = replace(provided.account, base_url=wire.url)
        with pytest.raises(FetchFailed) as failure:
            async with provided.provider.open(account, made.recording(provider_recording_id=ID)):
                pass
    assert failure.value.reason is Reason.REDIRECT_REFUSED
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"data": {"id": ID, "download_urls": {}}}, Reason.NOT_READY),
        ({"data": {"id": ID}}, Reason.NOT_READY),
        ({"data": {"id": "another"}}, Reason.PROVIDER_ERROR),
        ({"data": []}, Reason.PROVIDER_ERROR),
    ],
)
async def test_metadata_without_an_address_is_told(provided: Provided, document: object, reason: Reason) -> None:
    async with serve(lambda asked, reply: reply.whole("200 OK", json.dumps(document).encode())) as wire:
        account = replace(provided.account, base_url=wire.url)
        with pytest.raises(FetchFailed) as failure:
            async with provided.provider.open(account, made.recording(provider_recording_id=ID)):
                pass
    assert failure.value.reason is reason


@pytest.mark.parametrize("kind", ["call.answered", "call.recording.error", "call.recording.transcription.saved"])
async def test_events_about_something_else_are_acknowledged_and_nothing_more(kind: str) -> None:
    assert read(signed(event(kind))) is None


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("in-progress", ProviderStatus.IN_PROGRESS),
        ("completed", ProviderStatus.COMPLETED),
        ("absent", ProviderStatus.ABSENT),
    ],
)
async def test_a_form_of_a_texml_application_is_read(provided: Provided, told: str, status: ProviderStatus) -> None:
    provided.theirs.texml = True
    recording = provided.make(duration_s=2.0, source="DialVerb")
    request = provided.webhook(recording, told)

    notice = provided.read(request)

    assert notice is not None
    assert (notice.provider_recording_id, notice.call_id, notice.status) == (recording.sid, recording.call_sid, status)
    assert (notice.channels, notice.source) == (2, "DialVerb")
    with pytest.raises(BadSignature):
        provided.read(replace(request, body=request.body + b"&x=1"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"RecordingStatus=completed", "RecordingSid"),
        (f"RecordingStatus=completed&RecordingSid={ID.upper()}".encode(), "RecordingSid"),
        (f"RecordingStatus=completed&RecordingSid={ID}&RecordingSid={ID}".encode(), "RecordingSid"),
        (f"RecordingStatus=done&RecordingSid={ID}".encode(), "RecordingStatus"),
        (b"RecordingStatus=\xff", "body"),
        (b"CallStatus=completed", None),
        (b"", None),
    ],
)
async def test_a_form_of_another_content_is_refused_or_none_of_ours(body: bytes, field: str | None) -> None:
    request = signed(body)
    request = replace(request, headers={**request.headers, "content-type": "application/x-www-form-urlencoded"})
    if field is None:
        assert read(request) is None
        return
    with pytest.raises(InvalidInput) as found:
        read(request)
    assert found.value.field == field


async def test_time_and_body_are_signed_together() -> None:
    request = signed(event())
    assert read(request) is not None
    for headers in (
        {**request.headers, "telnyx-timestamp": "1764000001"},
        {**request.headers, "telnyx-timestamp": ""},
        {**request.headers, "telnyx-timestamp": "1764000000|"},
        {"telnyx-signature-ed25519": request.headers["telnyx-signature-ed25519"]},
    ):
        with pytest.raises(BadSignature):
            read(replace(request, headers=headers))


@pytest.mark.parametrize("name", [None, "", 7, "../x", ID.upper(), ID + "\n"])
async def test_an_event_without_a_proper_id_is_refused(name: object) -> None:
    with pytest.raises(InvalidInput) as found:
        read(signed(event(recording_id=name)))
    assert found.value.field == "recording_id"


@pytest.mark.parametrize("key", ["", "AAAA", "no base64!", None])
async def test_an_account_with_a_broken_public_key_accepts_nothing(key: str | None) -> None:
    account = made.account(provider="telnyx", signing_key=key)
    with pytest.raises(BadSignature):
        Telnyx().read_webhook(account, TenantId("acme"), signed(event()))


async def test_recordings_of_one_moment_are_all_listed_once(provided: Provided) -> None:
    day = datetime(2026, 11, 20, tzinfo=UTC)
    moments = [day, *[day + timedelta(hours=1)] * 5, day + timedelta(hours=2)]
    made_then = [provided.make(at).sid for at in moments]
    found: list[str] = []
    cursor = None
    while True:
        page = await provided.provider.list(provided.account, day, day + timedelta(days=1), cursor=cursor, limit=2)
        found += [one.notice.provider_recording_id for one in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert set(found) == set(made_then)
