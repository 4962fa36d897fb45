"""What every provider's module must keep: signatures, notices, downloads, deletion. Each against its simulator."""

import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest

from callspool.domain.errors import BadSignature, FetchFailed, InvalidInput
from callspool.domain.ports.provider import ProviderStatus, WebhookRequest
from callspool.domain.reasons import Reason
from callspool.domain.tenant import MediaFormat
from callspool.simulator.signing import KeyPair
from tests.fixtures import made
from tests.fixtures.providers import MODULES, Provided

EVENTS = {
    "completed": ProviderStatus.COMPLETED,
    "in-progress": ProviderStatus.IN_PROGRESS,
    "absent": ProviderStatus.ABSENT,
}


def twisted(signature: str) -> list[str]:
    """Return signatures that are not this one."""
    other = base64.b64encode(bytes(64)).decode()
    return ["", "AAAA", signature[:-2], signature + "=", signature.swapcase(), other, "é" * 28, "\0"]


def signature_header(request: WebhookRequest) -> str:
    return next(name for name in request.headers if "signature" in name and "settings" not in name)


# --- webhooks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", list(EVENTS))
async def test_a_signed_webhook_says_what_the_provider_does(provided: Provided, event: str) -> None:
    recording = provided.make(duration_s=61.0, status=event)

    notice = provided.read(provided.webhook(recording, event))

    if provided.name == "telnyx" and event != "completed":
        assert notice is None  # it tells of saved recordings only
        return
    assert notice is not None
    assert (notice.provider_recording_id, notice.call_id) == (recording.sid, recording.call_sid)
    assert (notice.account_id, notice.tenant_id, notice.status) == ("main", "acme", EVENTS[event])
    assert notice.channels == 2
    told = 61.0 if event == "completed" and provided.name != "telnyx" else None
    assert notice.duration_s == told


async def test_a_webhook_without_the_accounts_signature_is_refused(provided: Provided) -> None:
    request = provided.webhook(provided.make())
    name = signature_header(request)
    for signature in twisted(request.headers[name]):
        with pytest.raises(BadSignature):
            provided.read(replace(request, headers={**request.headers, name: signature}))
    with pytest.raises(BadSignature):
        provided.read(replace(request, headers={}))
    with pytest.raises(BadSignature):
        provided.read(replace(request, body=request.body + b"&x=1"))
    with pytest.raises(BadSignature):
        provided.read(replace(request, body=b""))


async def test_another_accounts_signature_is_refused(provided: Provided) -> None:
    other = provided.simulator.add_account(provider=provided.name, signing_key="other")
    theirs = provided.simulator.add_recording(account_sid=other.sid)

    with pytest.raises(BadSignature):
        provided.read(provided.webhook(theirs))


async def test_an_account_without_a_key_accepts_nothing(provided: Provided) -> None:
    request = provided.webhook(provided.make())
    bare = replace(provided.account, auth_token="", signing_key=None)
    with pytest.raises(BadSignature):
        provided.provider.read_webhook(bare, bare.default_tenant, request)


@pytest.mark.parametrize("rotating", ["the old key", "the new key"])
async def test_both_signing_keys_count_until_the_old_one_is_forgotten(provided: Provided, rotating: str) -> None:
    if provided.name == "twilio":
        provided.theirs.signing_key = "a-shared-key"
    request, theirs = provided.webhook(provided.make()), provided.theirs.signing_key
    another = KeyPair("another").public
    old, new = (theirs, another) if rotating == "the old key" else (another, theirs)
    during = replace(provided.account, signing_key=old).rotated(signing_key=new)

    provided.account = during
    assert provided.read(request) is not None

    provided.account = during.without_previous()
    if rotating == "the new key":
        assert provided.read(request) is not None
        return
    with pytest.raises(BadSignature):
        provided.read(request)


# --- downloads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("media_format", [MediaFormat.DUAL_WAV, MediaFormat.MP3])
async def test_what_is_downloaded_is_what_the_provider_has(provided: Provided, media_format: MediaFormat) -> None:
    provided.account = replace(provided.account, media_format=media_format)
    recording = provided.make(duration_s=2.0, channels=2)

    got = await provided.download(provided.ours(recording))

    form = "mp3" if media_format is MediaFormat.MP3 else "wav"
    channels = {"telnyx": 2, "twilio": 1 if form == "mp3" else 2, "signalwire": 1}[provided.name]
    assert got == await provided.simulator.audio(recording, form, channels)


@pytest.mark.rule("I1")
async def test_credentials_go_to_the_api_alone(provided: Provided) -> None:
    moved = provided.make(duration_s=1.0, faults=[] if provided.name == "telnyx" else ["redirect"])

    await provided.download(provided.ours(moved))

    media = [entry for entry in provided.simulator.log.entries if entry.origin == "media"]
    assert media
    assert not any(entry.authorized for entry in media)


async def test_a_break_is_mended_from_where_it_was(provided: Provided) -> None:
    recording = provided.make(duration_s=3.0)
    whole = await provided.download(provided.ours(recording))
    async with provided.provider.open(provided.account, provided.ours(recording)) as media:
        etag = media.etag
    assert etag is not None

    async with provided.provider.open(provided.account, provided.ours(recording), offset=1000, etag=etag) as media:
        rest = b"".join([bytes(chunk) async for chunk in media.chunks()])
        assert (media.offset, media.length) == (1000, len(whole))
    assert whole[1000:] == rest


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("404", Reason.NOT_READY),
        ("410", Reason.GONE),
        ("429:7", Reason.THROTTLED),
        ("500", Reason.PROVIDER_ERROR),
        ("reset:0.5", Reason.INTERRUPTED),
        ("short:0.5", Reason.TRUNCATED),
        ("redirect:http://10.0.0.1/x", Reason.REDIRECT_REFUSED),
    ],
)
async def test_what_goes_wrong_has_its_reason(provided: Provided, fault: str, reason: Reason) -> None:
    recording = provided.make(duration_s=3.0, fault=fault)
    with pytest.raises(FetchFailed) as failure:
        await provided.download(provided.ours(recording))
    assert failure.value.reason is reason
    if reason is Reason.THROTTLED:
        assert failure.value.retry_after is not None


async def test_refused_credentials_and_unknown_recordings_are_told_apart(provided: Provided) -> None:
    recording = provided.make(duration_s=1.0)
    gone = provided.make(status="in-progress")
    with pytest.raises(FetchFailed) as failure:
        await provided.download(provided.ours(gone))
    assert failure.value.reason is Reason.NOT_READY
    provided.account = replace(provided.account, auth_token="wrong")
    if provided.name == "signalwire":
        assert await provided.download(provided.ours(recording))  # its media are public
        return
    with pytest.raises(FetchFailed) as failure:
        await provided.download(provided.ours(recording))
    assert failure.value.reason is Reason.UNAUTHORIZED


@pytest.mark.parametrize("name", ["", "../x", "RE1", "a" * 36, made.RE + "/..", "%2e%2e"])
async def test_an_id_of_a_wrong_form_never_gets_into_an_address(provided: Provided, name: str) -> None:
    ours = made.recording(provider_recording_id=name)
    for asked in (
        provided.download(ours),
        provided.provider.look_up(provided.account, name),
        provided.provider.delete(provided.account, name),
    ):
        with pytest.raises(FetchFailed) as failure:
            await asked
        assert failure.value.reason is Reason.INTERNAL
    assert provided.simulator.log.entries == []


# --- deletion ----------------------------------------------------------------------------------------


async def test_what_is_deleted_is_gone_and_to_delete_it_again_is_fine(provided: Provided) -> None:
    recording = provided.make(duration_s=1.0)

    await provided.provider.delete(provided.account, recording.sid)
    await provided.provider.delete(provided.account, recording.sid)

    assert recording.status == "deleted"
    assert await provided.provider.look_up(provided.account, recording.sid) is None


async def test_a_deletion_that_is_refused_is_a_failure(provided: Provided) -> None:
    recording = provided.make()
    wrong = replace(provided.account, auth_token="wrong")
    with pytest.raises(FetchFailed) as failure:
        await provided.provider.delete(wrong, recording.sid)
    assert failure.value.reason is Reason.UNAUTHORIZED
    assert recording.status == "completed"


async def test_a_module_can_be_cancelled_at_any_moment(provided: Provided) -> None:
    recording = provided.make(duration_s=1.0, fault="stall:0.5")
    task = asyncio.ensure_future(provided.download(provided.ours(recording)))
    async with asyncio.timeout(5):
        while not any(entry.sent > 1000 for entry in provided.simulator.log.entries):
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'{"data": 7}', b'{"data": {}}', b"\xff" * 9])
async def test_a_signed_body_of_a_wrong_form_names_what_is_wrong(provided: Provided, body: bytes) -> None:
    headers, _ = provided.simulator.message(provided.make(), "completed", provided.url, body=body)
    request = WebhookRequest(provided.url, {name.lower(): value for name, value in headers.items()}, body)
    with pytest.raises((InvalidInput, BadSignature)):
        provided.read(request)


def test_every_provider_has_its_profile() -> None:
    from callspool.wiring import PROFILES, PROVIDERS

    found: dict[str, Any] = {name: type(None) for name in MODULES}
    assert found.keys() == PROFILES.keys() == PROVIDERS.keys()
