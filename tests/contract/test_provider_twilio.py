"""Twilio's callbacks and downloads as they look on the wire. The official SDK signs what we check."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from callspool.domain.errors import BadSignature, FetchFailed, InvalidInput
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.ports.provider import Notice, ProviderStatus, WebhookRequest
from callspool.domain.reasons import Reason
from callspool.domain.recording import Encryption
from callspool.domain.tenant import MediaFormat
from callspool.providers.twilio import Twilio
from tests.fixtures import made
from tests.fixtures.certificate import self_signed
from tests.fixtures.made import AC, CA, RE
from tests.fixtures.wire import Asked, Reply, Wire, serve

URL = "https://calls.example.com/webhooks/twilio/main/acme"
FORM = {
    "AccountSid": AC,
    "CallSid": CA,
    "RecordingSid": RE,
    "RecordingUrl": f"https://api.twilio.com/2010-04-01/Accounts/{AC}/Recordings/{RE}",
    "RecordingStatus": "completed",
    "RecordingDuration": "61",
    "RecordingChannels": "2",
    "RecordingStartTime": "Mon, 23 Nov 2026 11:00:00 +0000",
    "RecordingSource": "DialVerb",
    "RecordingTrack": "both",
    "ErrorCode": "0",
}


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    twilio = Twilio(connect_timeout=timedelta(seconds=2), stall_timeout=timedelta(seconds=0.3))
    yield twilio
    await twilio.close()


def signed(
    form: dict[str, str] | list[tuple[str, str]], *, url: str = URL, token: str = "the-token", **headers: str
) -> WebhookRequest:
    """Return a request as Twilio sends it, signed by Twilio's own SDK."""
    signature = RequestValidator(token).compute_signature(url, dict(form))
    kind = "application/x-www-form-urlencoded; charset=UTF-8"
    given = {"content-type": kind, "x-twilio-signature": signature, **headers}
    return WebhookRequest(url, given, urlencode(form).encode())


def read(twilio: Twilio, request: WebhookRequest, **account: str) -> Notice:
    return twilio.read_webhook(made.account(**account), TenantId("acme"), request)


async def test_a_signed_callback_is_read(twilio: Twilio) -> None:
    assert read(twilio, signed(FORM)) == Notice(
        account_id=AccountId("main"),
        tenant_id=TenantId("acme"),
        provider_recording_id=RE,
        call_id=CA,
        status=ProviderStatus.COMPLETED,
        duration_s=61.0,
        channels=2,
        source="DialVerb",
        started_at=datetime(2026, 11, 23, 11, tzinfo=UTC),
        error=None,
    )


@pytest.mark.parametrize("token", ["the-token", "the-old-token"])
async def test_both_tokens_are_accepted_during_a_rotation(twilio: Twilio, token: str) -> None:
    assert read(twilio, signed(FORM, token=token), previous_auth_token="the-old-token").provider_recording_id == RE


async def test_the_signature_counts_with_and_without_the_default_port(twilio: Twilio) -> None:
    with_port = URL.replace(".com/", ".com:443/")
    request = signed(FORM, url=with_port)
    assert read(twilio, WebhookRequest(URL, request.headers, request.body)).provider_recording_id == RE


@pytest.mark.parametrize("field", ["AccountSid", "RecordingSid", "RecordingStatus", "RecordingDuration"])
async def test_a_changed_field_breaks_the_signature(twilio: Twilio, field: str) -> None:
    request = signed(FORM)
    changed = urlencode({**FORM, field: FORM[field] + "0"}).encode()
    with pytest.raises(BadSignature):
        read(twilio, WebhookRequest(URL, request.headers, changed))


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-twilio-signature": ""}, {"x-twilio-signature": "AAAA"}, {"x-twilio-signature": "é" * 28}],
)
@pytest.mark.parametrize("body", [urlencode(FORM).encode(), b"", b"{}", b"\xff\xfe"])
async def test_an_unsigned_request_is_refused_whatever_it_says(
    twilio: Twilio, headers: dict[str, str], body: bytes
) -> None:
    with pytest.raises(BadSignature):
        read(twilio, WebhookRequest(URL, headers, body))


async def test_another_address_breaks_the_signature(twilio: Twilio) -> None:
    request = signed(FORM)
    other = URL.replace("acme", "other")
    with pytest.raises(BadSignature):
        read(twilio, WebhookRequest(other, request.headers, request.body))


async def test_the_algorithm_is_not_the_senders_choice(twilio: Twilio) -> None:
    weak = RequestValidator("the-token").compute_signature(URL, FORM, "HMAC_SHA256")
    settings = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
    request = WebhookRequest(
        URL,
        {"x-twilio-signature": weak, "x-twilio-webhooks-signature-settings": settings},
        urlencode(FORM).encode(),
    )
    with pytest.raises(BadSignature):
        read(twilio, request)


def signed_by_shared_key(key: str, url: str = URL) -> WebhookRequest:
    """Return a request as Twilio sends it where a shared key signs, signed by Twilio's own SDK."""
    signature = RequestValidator(key).compute_signature(url, FORM, "HMAC_SHA256")
    named = {"x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}
    return signed(FORM, url=url, **{"x-twilio-signature": signature, **named})


async def test_a_signature_by_a_shared_key_is_accepted_and_then_no_other(twilio: Twilio) -> None:
    assert read(twilio, signed_by_shared_key("shared"), signing_key="shared").provider_recording_id == RE
    rotating = {"signing_key": "newer", "previous_signing_key": "shared"}
    assert read(twilio, signed_by_shared_key("shared"), **rotating).provider_recording_id == RE
    for request in (
        signed(FORM),  # SHA-1 by the token, which is right where there is no shared key
        signed(FORM, token="shared"),
        signed_by_shared_key("the-token"),
        signed_by_shared_key("another"),
        signed_by_shared_key("shared", URL + "?x=1"),
    ):
        with pytest.raises(BadSignature):
            read(twilio, WebhookRequest(URL, request.headers, request.body), signing_key="shared")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("AccountSid", "AC" + "f" * 32),
        ("AccountSid", AC.upper()),
        ("RecordingSid", RE + "0"),
        ("RecordingSid", RE[:-1]),
        ("RecordingSid", RE + "\n"),
        ("RecordingSid", "../" + RE),
        ("RecordingSid", "CA" + RE[2:]),
        ("RecordingSid", ""),
        ("CallSid", "anything"),
        ("RecordingStatus", "deleted"),
        ("RecordingStatus", ""),
    ],
)
async def test_a_signed_callback_of_a_wrong_form_names_the_field(twilio: Twilio, field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as found:
        read(twilio, signed({**FORM, field: value}))
    assert found.value.field == field


async def test_joined_names_and_values_cannot_pass_for_others(twilio: Twilio) -> None:
    """Twilio signs names and values joined: CallSid=X moved into AccountSid's value has the same signature."""
    joined = {
        "AccountSid": AC + "CallSid" + CA,
        **{k: v for k, v in FORM.items() if k not in ("AccountSid", "CallSid")},
    }
    request = signed(FORM)
    assert signed(joined).headers == request.headers
    with pytest.raises(InvalidInput):
        read(twilio, WebhookRequest(URL, request.headers, urlencode(joined).encode()))


async def test_a_field_given_twice_is_refused(twilio: Twilio) -> None:
    request = signed([*FORM.items(), ("RecordingSid", RE)])
    with pytest.raises(InvalidInput) as found:
        read(twilio, request)
    assert found.value.field == "RecordingSid"


async def test_a_signed_body_that_is_not_a_form_is_refused(twilio: Twilio) -> None:
    request = signed({}, **{"content-type": "application/json"})
    with pytest.raises(InvalidInput) as found:
        read(twilio, WebhookRequest(URL, request.headers, b'{"RecordingSid": 1}'))
    assert found.value.field == "body"


@pytest.mark.rule("F23")
@pytest.mark.parametrize("text", ["-1", "", "nan", "inf", "1e9", "12.5", "９", "0x10", "99999999999"])
async def test_a_duration_that_is_no_number_is_unknown(twilio: Twilio, text: str) -> None:
    assert read(twilio, signed({**FORM, "RecordingDuration": text})).duration_s is None


async def test_what_may_be_missing_is_unknown(twilio: Twilio) -> None:
    least = {name: FORM[name] for name in ("AccountSid", "RecordingSid", "RecordingStatus")}
    notice = read(twilio, signed(least))
    assert (notice.call_id, notice.duration_s, notice.channels, notice.source, notice.started_at) == (None,) * 5


async def test_the_start_is_turned_into_utc(twilio: Twilio) -> None:
    notice = read(twilio, signed({**FORM, "RecordingStartTime": "Mon, 23 Nov 2026 13:00:00 +0200"}))
    assert notice.started_at == datetime(2026, 11, 23, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("in-progress", ProviderStatus.IN_PROGRESS),
        ("processing", ProviderStatus.IN_PROGRESS),
        ("absent", ProviderStatus.ABSENT),
    ],
)
async def test_statuses_are_put_into_our_words(twilio: Twilio, text: str, status: ProviderStatus) -> None:
    notice = read(twilio, signed({**FORM, "RecordingStatus": text, "ErrorCode": "16102"}))
    assert notice.status is status
    assert notice.error == "16102: the recording was silent and was not kept"


# --- downloads ---------------------------------------------------------------------------------------


async def body_of(twilio: Twilio, wire: Wire, **given: object) -> bytes:
    account = made.account(base_url=wire.url, **given.pop("account", {}))  # type: ignore[arg-type]
    recording = made.recording(**given.pop("recording", {}))  # type: ignore[arg-type]
    async with twilio.open(account, recording, **given) as media:  # type: ignore[arg-type]
        return b"".join([chunk async for chunk in media.chunks()])


async def failure(twilio: Twilio, wire: Wire, **given: object) -> FetchFailed:
    with pytest.raises(FetchFailed) as failed:
        await body_of(twilio, wire, **given)
    return failed.value


@pytest.mark.rule("F13")
async def test_the_address_is_built_from_ids_and_asks_for_wav_in_two_channels(twilio: Twilio) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole("200 OK", b"audio")

    async with serve(answer) as wire:
        assert await body_of(twilio, wire, recording={"announced_channels": 2}) == b"audio"
    assert wire.asked[0].target == f"/2010-04-01/Accounts/{AC}/Recordings/{RE}.wav?RequestedChannels=2"
    assert wire.asked[0].headers["accept-encoding"] == "identity"
    assert "range" not in wire.asked[0].headers


async def test_a_recording_with_one_channel_is_not_asked_for_two(twilio: Twilio) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole("200 OK", b"audio")

    async with serve(answer) as wire:
        await body_of(twilio, wire, recording={"announced_channels": 1})
    assert [asked.target.rpartition("/")[2] for asked in wire.asked] == [f"{RE}.wav"]


@pytest.mark.parametrize(("announced", "asked_for"), [(2, 2), (None, 2), (1, None)])
async def test_what_was_asked_for_is_told_so_that_it_can_be_compared(
    twilio: Twilio, announced: int | None, asked_for: int | None
) -> None:
    async with serve(lambda asked, reply: reply.whole("200 OK", b"audio")) as wire:
        account, recording = made.account(base_url=wire.url), made.recording(announced_channels=announced)
        async with twilio.open(account, recording) as media:
            assert media.channels == asked_for


async def test_where_two_channels_are_refused_one_is_taken(twilio: Twilio) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        if "RequestedChannels" in asked.target:
            await reply.whole("400 Bad Request", b'{"code": 16113, "message": "mono"}')
        else:
            await reply.whole("200 OK", b"mono")

    async with serve(answer) as wire:
        assert await body_of(twilio, wire, recording={"announced_channels": None}) == b"mono"
    assert len(wire.asked) == 2


@pytest.mark.parametrize(
    ("account", "sent"),
    [({}, f"{AC}:the-token"), ({"api_key": "SK1", "api_secret": "s3cret"}, "SK1:s3cret")],
    ids=["token", "api-key"],
)
async def test_an_api_key_is_used_rather_than_the_token(twilio: Twilio, account: dict[str, str], sent: str) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole("200 OK", b"audio")

    async with serve(answer) as wire:
        await body_of(twilio, wire, account=account)
    assert wire.asked[0].headers["authorization"] == "Basic " + base64.b64encode(sent.encode()).decode()


@pytest.mark.rule("F14")
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("404 Not Found", Reason.NOT_READY),
        ("401 Unauthorized", Reason.UNAUTHORIZED),
        ("403 Forbidden", Reason.FORBIDDEN),
        ("410 Gone", Reason.GONE),
        ("429 Too Many Requests", Reason.THROTTLED),
        ("400 Bad Request", Reason.PROVIDER_ERROR),
        ("418 Teapot", Reason.PROVIDER_ERROR),
        ("500 Oops", Reason.PROVIDER_ERROR),
        ("503 Unavailable", Reason.PROVIDER_ERROR),
        ("204 No Content", Reason.PROVIDER_ERROR),
        ("302 Found", Reason.PROVIDER_ERROR),
    ],
)
async def test_every_status_has_its_reason(twilio: Twilio, status: str, reason: Reason) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole(status, b"" if "204" in status else b"{}")

    async with serve(answer) as wire:
        assert (await failure(twilio, wire)).reason is reason


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Unavailable"])
@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "7"}, timedelta(seconds=7)),
        ({"retry_after": "0"}, timedelta(seconds=1)),
        ({"retry_after": "99999999999999999999"}, timedelta(minutes=15)),
        (
            {"retry_after": "Mon, 23 Nov 2026 12:00:30 GMT", "date": "Mon, 23 Nov 2026 12:00:00 GMT"},
            timedelta(seconds=30),
        ),
        (
            {"retry_after": "Mon, 23 Nov 2020 12:00:30 GMT", "date": "Mon, 23 Nov 2026 12:00:00 GMT"},
            timedelta(seconds=1),
        ),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-5"}, None),
        ({}, None),
    ],
)
async def test_retry_after_is_read_and_kept_within_bounds(
    twilio: Twilio, status: str, headers: dict[str, str], wait: timedelta | None
) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole(status, b"", **headers)

    async with serve(answer) as wire:
        assert (await failure(twilio, wire)).retry_after == wait


async def test_a_provider_that_is_not_there_is_unreachable(twilio: Twilio) -> None:
    async with serve(lambda asked, reply: reply.whole("200 OK")) as wire:
        pass
    assert (await failure(twilio, wire)).reason is Reason.UNREACHABLE


async def test_a_name_that_leads_nowhere_is_unreachable(twilio: Twilio) -> None:
    with pytest.raises(FetchFailed) as failed:
        async with twilio.open(made.account(base_url="https://api.callspool.invalid"), made.recording()):
            pass
    assert failed.value.reason is Reason.UNREACHABLE


@pytest.mark.rule("I3")
async def test_a_certificate_that_nobody_vouches_for_is_unreachable_and_gets_no_credentials(tmp_path: Path) -> None:
    twilio = Twilio()  # with time for the handshake
    async with serve(lambda asked, reply: reply.whole("200 OK", b"audio"), tls=self_signed(tmp_path)) as wire:
        assert (await failure(twilio, wire)).reason is Reason.UNREACHABLE
    assert wire.asked == []
    await twilio.close()


async def test_an_answer_that_is_not_http_is_the_providers_error(twilio: Twilio) -> None:
    async with serve(lambda asked, reply: reply.more(b"what?\r\n\r\n")) as wire:
        assert (await failure(twilio, wire)).reason is Reason.PROVIDER_ERROR


async def test_silence_before_the_answer_and_within_the_body_is_a_stall() -> None:
    soon = timedelta(seconds=0.3)
    twilio = Twilio(first_byte_timeout=soon, stall_timeout=soon)

    async def answer(asked: Asked, reply: Reply) -> None:
        if len(wire.asked) > 1:
            await reply.send("200 OK", {"Content-Length": "1000"}, b"begin")
        await reply.client_left()

    async with serve(answer) as wire:
        assert (await failure(twilio, wire)).reason is Reason.STALLED
        assert (await failure(twilio, wire)).reason is Reason.STALLED
    await twilio.close()


@pytest.mark.parametrize(
    ("first_byte", "stall", "takes", "outcome"),
    [(20.0, 0.3, 0.8, "stalled in the body"), (0.3, 20.0, 0.8, "stalled before it"), (20.0, 20.0, 0.8, "came")],
)
async def test_first_byte_and_stall_have_limits_of_their_own(
    first_byte: float, stall: float, takes: float, outcome: str
) -> None:
    """The same silence before the answer and in its body."""
    twilio = Twilio(first_byte_timeout=timedelta(seconds=first_byte), stall_timeout=timedelta(seconds=stall))

    async def answer(asked: Asked, reply: Reply) -> None:
        await asyncio.sleep(takes)
        await reply.send("200 OK", {"Content-Length": "10"}, b"begin")
        await asyncio.sleep(takes)
        await reply.more(b"ended")

    async with serve(answer) as wire:
        if outcome == "came":
            assert await body_of(twilio, wire) == b"beginended"
        else:
            failed = await failure(twilio, wire)
            assert failed.reason is Reason.STALLED
            assert ("in the middle of the body" in failed.detail) is (outcome == "stalled in the body")
    await twilio.close()


async def test_connecting_has_a_limit_of_its_own() -> None:
    """It is taken, but nobody answers the greeting of TLS."""
    twilio = Twilio(connect_timeout=timedelta(seconds=0.3), first_byte_timeout=timedelta(seconds=20))
    async with serve(lambda asked, reply: reply.client_left()) as wire:
        wire.url = wire.url.replace("http://", "https://")
        assert (await failure(twilio, wire)).reason is Reason.UNREACHABLE
    await twilio.close()


async def test_a_name_that_nobody_resolves_holds_up_a_redirect_no_longer_than_a_connection_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def silent(*args: object, **given: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", silent, raising=False)
    twilio = Twilio(connect_timeout=timedelta(seconds=0.3))
    async with serve(lambda asked, reply: reply.whole("302 Found", location="https://a.twilio.com/x")) as wire:
        assert (await failure(twilio, wire)).reason is Reason.UNREACHABLE
    await twilio.close()


async def test_a_reset_is_told_from_an_end_that_came_too_early(twilio: Twilio) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.send("200 OK", {"Content-Length": "1000"}, b"begin")
        if len(wire.asked) == 1:
            reply.reset()

    async with serve(answer) as wire:
        assert (await failure(twilio, wire)).reason is Reason.INTERRUPTED
        assert (await failure(twilio, wire)).reason is Reason.TRUNCATED


async def test_a_range_is_asked_for_only_with_a_strong_tag(twilio: Twilio) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        if "range" in asked.headers:
            await reply.whole("206 Partial Content", b"90", content_range="bytes 8-9/10", etag='"a"')
        else:
            await reply.whole("200 OK", b"1234567890")

    account_url = ""
    async with serve(answer) as wire:
        account_url = wire.url
        account, recording = made.account(base_url=account_url), made.recording()
        async with twilio.open(account, recording, offset=8, etag='"a"') as media:
            assert (media.offset, media.length, media.etag) == (8, 10, '"a"')
        async with twilio.open(account, recording, offset=8, etag='W/"a"') as media:
            assert (media.offset, media.length, media.etag) == (0, 10, None)
        async with twilio.open(account, recording, offset=8) as media:
            assert media.offset == 0
    assert [(a.headers.get("range"), a.headers.get("if-range")) for a in wire.asked] == [
        ("bytes=8-", '"a"'),
        (None, None),
        (None, None),
    ]


async def test_another_range_than_was_asked_for_is_refused(twilio: Twilio) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole("206 Partial Content", b"67890", content_range="bytes 5-9/10", etag='"a"')

    async with serve(answer) as wire:
        assert (await failure(twilio, wire, offset=8, etag='"a"')).reason is Reason.PROVIDER_ERROR


async def test_a_range_past_the_end_is_another_try(twilio: Twilio) -> None:
    async with serve(lambda asked, reply: reply.whole("416 Range Not Satisfiable")) as wire:
        assert (await failure(twilio, wire, offset=8, etag='"a"')).reason is Reason.PROVIDER_ERROR
    assert len(wire.asked) == 1


async def test_a_compressed_body_is_refused_rather_than_inflated(twilio: Twilio) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole("200 OK", b"\x1f\x8b", content_encoding="gzip")

    async with serve(answer) as wire:
        assert (await failure(twilio, wire)).reason is Reason.PROVIDER_ERROR


async def test_credentials_stay_with_their_origin_when_redirected(twilio: Twilio) -> None:
    async def store(asked: Asked, reply: Reply) -> None:
        await reply.whole("200 OK", b"audio")

    async def answer(asked: Asked, reply: Reply) -> None:
        target = "/moved" if asked.target.endswith(".wav") else f"{bucket.url}/object?signed=1"
        await reply.whole("307 Temporary Redirect", location=target)

    async with serve(store) as bucket, serve(answer) as wire:
        assert await body_of(twilio, wire) == b"audio"
    assert ["authorization" in asked.headers for asked in wire.asked] == [True, True]
    assert ["authorization" in asked.headers for asked in bucket.asked] == [False]
    assert not any("referer" in asked.headers for asked in bucket.asked)


@pytest.mark.parametrize(
    "location",
    [
        "http://api.twilio.com/x",
        "https://evil.example.com/x",
        "https://api.twilio.com.evil.example.com/x",
        "https://eviltwilio.com/x",
        "https://user:pass@api.twilio.com/x",
        "https://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x",
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "//evil.example.com/x",
        "https://[::1",
    ],
)
async def test_a_redirect_to_where_it_must_not_lead_is_refused(twilio: Twilio, location: str) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole("302 Found", location=location)

    async with serve(answer) as wire:
        assert (await failure(twilio, wire)).reason is Reason.REDIRECT_REFUSED
    assert len(wire.asked) == 1


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.7.7", "169.254.169.254", "[fd00::1]"])
async def test_a_redirect_into_a_private_network_is_refused_even_where_its_host_is_allowed(address: str) -> None:
    twilio = Twilio(allowed_hosts=frozenset({address.strip("[]")}))

    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole("302 Found", location=f"https://{address}/x")

    async with serve(answer) as wire:
        assert (await failure(twilio, wire)).reason is Reason.REDIRECT_REFUSED
    await twilio.close()


async def test_a_redirect_loop_ends(twilio: Twilio) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole("302 Found", location=asked.target)

    async with serve(answer) as wire:
        assert (await failure(twilio, wire)).reason is Reason.REDIRECT_REFUSED
    assert len(wire.asked) == 4


async def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    twilio = Twilio()
    async with serve(lambda asked, reply: reply.whole("200 OK", b"direct")) as wire:
        assert await body_of(twilio, wire) == b"direct"
    await twilio.close()


async def test_a_download_that_is_left_closes_its_connection(twilio: Twilio) -> None:
    left = asyncio.Event()

    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.send("200 OK", {"Content-Length": "100000000"}, b"begin")
        await reply.client_left()
        left.set()

    async with serve(answer) as wire:
        async with twilio.open(made.account(base_url=wire.url), made.recording()) as media:
            async for _ in media.chunks():
                break
        async with asyncio.timeout(5):
            await left.wait()


async def test_nothing_secret_is_in_a_failures_text(twilio: Twilio) -> None:
    async with serve(lambda asked, reply: reply.whole("200 OK")) as wire:
        pass
    text = str(await failure(twilio, wire))
    assert RE not in text
    assert AC not in text
    assert "the-token" not in text


@pytest.mark.parametrize(
    ("media_format", "channels", "asked"),
    [
        (MediaFormat.DUAL_WAV, 2, [".wav?RequestedChannels=2", ".wav", ".mp3"]),
        (MediaFormat.DUAL_WAV, 1, [".wav", ".mp3"]),
        (MediaFormat.WAV, 2, [".wav", ".mp3"]),
        (MediaFormat.MP3, 2, [".mp3"]),
    ],
)
async def test_forms_are_asked_for_in_the_account_s_order_while_the_answer_is_that_there_is_none(
    twilio: Twilio, media_format: MediaFormat, channels: int, asked: list[str]
) -> None:
    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole("400 Bad Request", b'{"code": 16113}')

    async with serve(answer) as wire:
        failed = await failure(
            twilio, wire, account={"media_format": media_format}, recording={"announced_channels": channels}
        )
    assert [one.target.rpartition(RE)[2] for one in wire.asked] == asked
    assert failed.reason is Reason.PROVIDER_ERROR
    assert "16113: two channels were asked for" in failed.detail


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (16101, Reason.GONE),
        (16102, Reason.GONE),
        (16107, Reason.NO_PRIVATE_KEY),
        (16108, Reason.THROTTLED),
        (20001, Reason.PROVIDER_ERROR),
    ],
)
async def test_a_code_that_means_no_form_leads_to_no_other_form(twilio: Twilio, code: int, reason: Reason) -> None:
    body = b'{"code": %d}' % code
    async with serve(lambda asked, reply: reply.whole("400 Bad Request", body)) as wire:
        failed = await failure(twilio, wire, recording={"announced_channels": 2})
    assert len(wire.asked) == 1
    assert failed.reason is reason
    assert str(code) in failed.detail


@pytest.mark.parametrize("status", ["404 Not Found", "401 Unauthorized", "429 Too Many Requests", "500 Oops"])
async def test_any_other_answer_leads_to_no_other_form(twilio: Twilio, status: str) -> None:
    async with serve(lambda asked, reply: reply.whole(status)) as wire:
        await failure(twilio, wire, recording={"announced_channels": 2})
    assert len(wire.asked) == 1


KEY_SID = "CR" + "0f" * 16


@pytest.mark.parametrize(
    "names",
    [("public_key_sid", "encrypted_cek", "iv"), ("encryption_public_key_sid", "encryption_cek", "encryption_iv")],
)
async def test_encryption_details_are_read_by_either_names(twilio: Twilio, names: tuple[str, str, str]) -> None:
    wrapped, iv = bytes(range(256)), bytes(12)
    values = (KEY_SID, base64.b64encode(wrapped).decode(), base64.b64encode(iv).decode())
    details = json.dumps(dict(zip(names, values, strict=True)))
    assert read(twilio, signed({**FORM, "EncryptionDetails": details})).encryption == Encryption(KEY_SID, wrapped, iv)


@pytest.mark.parametrize(
    "details",
    ["no json", "[]", "{}", json.dumps({"public_key_sid": "CR1", "encrypted_cek": "AAAA", "iv": "AAAA"})],
)
async def test_encryption_details_that_cannot_be_read_are_refused(twilio: Twilio, details: str) -> None:
    with pytest.raises(InvalidInput, match="EncryptionDetails"):
        read(twilio, signed({**FORM, "EncryptionDetails": details}))


async def test_error_16107_is_explained(twilio: Twilio) -> None:
    told = read(twilio, signed({**FORM, "ErrorCode": "16107"})).error
    assert told is not None
    assert "encrypted with another public key" in told
