"""Everything of ours that reads bytes of strangers, and what must be so whatever these bytes are.

A parser may refuse, with its own error; it may not fail in another way, hang, or believe what cannot be.
"""

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twilio.request_validator import RequestValidator

from callspool.audio.check import Rejected, form_of
from callspool.audio.mp3 import declared_frames
from callspool.audio.wav import Malformed, read_header
from callspool.domain.errors import FetchFailed, InvalidInput
from callspool.domain.ids import AccountId, RecordingId, TenantId
from callspool.domain.ports.provider import WebhookRequest
from callspool.domain.tenant import Account
from callspool.playback.ranges import Conditions, Parts, decide
from callspool.playback.tokens import Links, Refused
from callspool.providers import telnyx_list, telnyx_webhook, twilio, twilio_form, twilio_list
from callspool.providers.http_errors import LEAST_RETRY_AFTER, MOST_RETRY_AFTER, read_retry_after
from callspool.vault.keys import parse_key, vault_key

_NOW: Final = datetime(2026, 5, 4, 12, tzinfo=UTC)
_SPAN: Final = timedelta(days=2)
_RECORDING: Final = RecordingId("rec_" + "0" * 32)
_TENANT: Final = TenantId("acme")
_URL: Final = "https://calls.example/webhooks/twilio/main"
_ACCOUNT: Final = Account(
    id=AccountId("main"), provider="twilio", default_tenant=_TENANT, account_sid="AC" + "0" * 32, auth_token="token"
)
_LINKS: Final = Links(bytes(32))
_SIGNING: Final = Ed25519PrivateKey.from_private_bytes(bytes(32))
_TELNYX: Final = replace(
    _ACCOUNT,
    provider="telnyx",
    signing_key=base64.b64encode(_SIGNING.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode(),
)


def wav_header(data: bytes) -> None:
    """No more frames than there are bytes."""
    with suppress(Malformed):
        frames = read_header(BytesIO(data), len(data)).frames
        assert frames is None or 0 <= frames <= len(data)


def mp3_header(data: bytes) -> None:
    """A count, or none."""
    frames = declared_frames(data)
    assert frames is None or 0 <= frames < 1 << 32


def form(data: bytes) -> None:
    """The file stands at its beginning afterwards."""
    file = BytesIO(data)
    with suppress(Rejected):
        assert form_of(file) in ("wav", "mp3")
        assert file.tell() == 0


def ranges(data: bytes) -> None:
    """Every span lies within the file, and there are few."""
    size = int.from_bytes(data[:2], "big")
    fields = [*data[2:].decode("latin-1").split("\n", 3), "", "", "", ""]
    wanted, if_range, if_match, if_none_match = (field or None for field in fields[:4])
    etag = '"tag"'
    for conditions in (Conditions(range=wanted), Conditions("GET", wanted, if_range, if_match, if_none_match)):
        answer = decide(conditions, size=size, etag=etag)
        if isinstance(answer, Parts):
            assert 0 < len(answer.spans) <= 64
            assert all(0 <= span.start < span.end <= size for span in answer.spans)


def link(data: bytes) -> None:
    """No text that was not signed allows anything."""
    assert isinstance(_LINKS.check(data.decode("latin-1"), _RECORDING, _NOW), Refused)


def vault_name(data: bytes) -> None:
    """A key is what its parts make, and leads nowhere else."""
    text = data.decode("latin-1")
    with suppress(InvalidInput):
        parsed = parse_key(text)
        extension = parsed.audio.rpartition(".")[2]
        made = vault_key(parsed.tenant_id, parsed.recording_id, parsed.attempt, extension)
        folder = text.split("/")[1]
        assert made == parsed.audio or not made.startswith(f"{parsed.tenant_id}/{folder}/")
        assert ".." not in text


def twilio_webhook(data: bytes) -> None:
    """What Twilio signed, whatever it says."""
    body = data.decode("utf-8", "replace")
    request = WebhookRequest(_URL, {}, body.encode())
    fields, _ = twilio_form.read_form(request)
    signature = RequestValidator(_ACCOUNT.auth_token).compute_signature(_URL, fields)
    signed = replace(request, headers={"x-twilio-signature": signature})
    with suppress(InvalidInput):
        twilio_form.read_callback(twilio.TWILIO, _ACCOUNT, _TENANT, signed)


def twilio_encryption(data: bytes) -> None:
    """What stands in a webhook's EncryptionDetails."""
    with suppress(InvalidInput):
        twilio_form.read_encryption_text(data.decode("utf-8", "replace"))


def twilio_page(data: bytes) -> None:
    """A page of a list: what is not read is named, and a cursor may be sent."""
    document = _json(data)
    if isinstance(document, dict):
        with suppress(FetchFailed):
            listing = twilio_list.read_page(twilio.TWILIO, _ACCOUNT, document, _NOW - _SPAN, _NOW)
            assert all(_NOW - _SPAN <= entry.created_at < _NOW for entry in listing.entries)
            assert listing.next_cursor is None or twilio_list.checked_cursor(listing.next_cursor) == listing.next_cursor


def telnyx_event(data: bytes) -> None:
    """What Telnyx signed, whatever it says."""
    signature = base64.b64encode(_SIGNING.sign(b"1|" + data)).decode()
    headers = {telnyx_webhook.TIMESTAMP_HEADER: "1", telnyx_webhook.SIGNATURE_HEADER: signature}
    with suppress(InvalidInput):
        telnyx_webhook.read_event(_TELNYX, _TENANT, WebhookRequest(_URL, headers, data))


def telnyx_page(data: bytes) -> None:
    """A page of a list, and the cursor that leads to the next."""
    document = _json(data)
    if isinstance(document, dict):
        with suppress(FetchFailed):
            listing = telnyx_list.read_page(_TELNYX, document, _NOW - _SPAN, _NOW, telnyx_list.Cursor(_NOW))
            if listing.next_cursor is not None:
                assert str(telnyx_list.Cursor.read(listing.next_cursor)) == listing.next_cursor


def telnyx_cursor(data: bytes) -> None:
    """A cursor says the same when it is read again."""
    with suppress(FetchFailed):
        cursor = telnyx_list.Cursor.read(data.decode("latin-1"))
        assert telnyx_list.Cursor.read(str(cursor)) == cursor


def retry_after(data: bytes) -> None:
    """Within its bounds, whatever a server says."""
    asked, _, date = data.decode("latin-1").partition("\n")
    wait = read_retry_after({"retry-after": asked, "date": date})
    assert wait is None or LEAST_RETRY_AFTER <= wait <= MOST_RETRY_AFTER


def _json(data: bytes) -> object:
    with suppress(ValueError, RecursionError):
        return json.loads(data)
    return None


PARSERS: Final[Mapping[str, Callable[[bytes], None]]] = {
    parser.__name__: parser
    for parser in (
        *(wav_header, mp3_header, form, ranges, link, vault_name, retry_after),
        *(twilio_webhook, twilio_encryption, twilio_page, telnyx_event, telnyx_page, telnyx_cursor),
    )
}


def every(data: bytes) -> None:
    """All of them in one process, for a short run: the first byte says which."""
    list(PARSERS.values())[data[0] % len(PARSERS) if data else 0](data[1:])


def _written(**document: object) -> bytes:
    return json.dumps(document).encode()


_RE: Final = b"RE" + b"0" * 32
_UUID: Final = "00000000-0000-0000-0000-000000000000"
EVERY: Final = "every"
_SEEDS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "wav_header": (
        b"RIFF\x34\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
        b"data\x10\x00\x00\x00" + bytes(16),
    ),
    "mp3_header": (
        b"ID3\x04\x00\x00\x00\x00\x00\x00\xff\xfb\x90\x00" + bytes(32) + b"Xing\x00\x00\x00\x01\x00\x00\x00\x09",
    ),
    "form": (b"RIFF\x34\x00\x00\x00WAVEfmt ", b"\xff\xfb\x90\x00", b"ID3\x04"),
    "ranges": (b'\x04\x00bytes=0-1,5-,-7\n"tag"\n"tag", W/"x"\n*', b"\x00\x00bytes=-1"),
    "link": (b"v1.00000000.acme.1.1999999999." + b"A" * 43,),
    "vault_name": (b"acme/000000/rec_" + b"0" * 32 + b"-1.wav.peaks",),
    "retry_after": (
        b"120\n",
        b"Mon, 04 May 2026 12:00:30 GMT\nMon, 04 May 2026 12:00:00 GMT",
        b"Mon, 04 May 026 44444444412:00:0 GM0:0",
    ),
    "twilio_webhook": (
        b"AccountSid=AC" + b"0" * 32 + b"&RecordingSid=" + _RE + b"&RecordingStatus=completed&RecordingDuration=12"
        b"&RecordingStartTime=Mon%2C%2004%20May%202026%2012%3A00%3A00%20%2B0000&ErrorCode=1&RecordingChannels=2"
        b"&EncryptionDetails=%7B%7D",
    ),
    "twilio_encryption": (
        b"[" * 4096,
        b'{"public_key_sid": "CR'
        + b"0" * 32
        + b'", "encrypted_cek": "'
        + b"A" * 344
        + b'", "iv": "'
        + b"A" * 16
        + b'"}',
    ),
    "twilio_page": (
        _written(
            recordings=[
                {
                    "sid": _RE.decode(),
                    "account_sid": _ACCOUNT.account_sid,
                    "status": "completed",
                    "date_created": "Mon, 04 May 2026 11:00:00 +0000",
                    "duration": "3",
                }
            ],
            next_page_uri="/x?Page=1&PageToken=a",
        ),
    ),
    "telnyx_event": tuple(
        _written(
            data={
                "event_type": "call.recording.saved",
                "payload": {"recording_id": _UUID, "channels": "dual", "recording_started_at": started},
            }
        )
        for started in ("2026-05-04T12:00:00Z", "0001-01-01T00:00:00+05:00")
    ),
    "telnyx_page": (
        _written(
            data=[{"id": _UUID, "created_at": "2026-05-04T11:00:00Z", "status": "completed", "duration_millis": 1000}],
            meta={"page_number": 1, "total_pages": 2},
        ),
    ),
    "telnyx_cursor": (b"2026-05-04T12:00:00+00:00 1 a b",),
}
SEEDS: Final[Mapping[str, tuple[bytes, ...]]] = {
    **_SEEDS,
    EVERY: tuple(bytes([number]) + seed for number, name in enumerate(PARSERS) for seed in _SEEDS[name]),
}
"""What is like the real thing, for each: a fuzzer gets further from there than from nothing."""
