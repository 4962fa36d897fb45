"""Read Telnyx's webhooks: first the Ed25519 signature over time and body, then the event.

One address gets all events of an application, so most are none of ours and are acknowledged only. A TeXML application
sends forms with Twilio's names instead of JSON, signed in the same way. What an event says of addresses and durations
is not read: the first expire, the second count pauses. Its time is signed, but not judged: the same event twice changes
nothing, whenever it comes.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from callspool.domain.errors import BadSignature, InvalidInput
from callspool.domain.ids import TenantId
from callspool.domain.ports.provider import Notice, ProviderStatus, WebhookRequest
from callspool.domain.tenant import Account
from callspool.providers.dialect import UUID
from callspool.providers.profile import Probe
from callspool.providers.telnyx_list import read_call_id, read_channels, read_time
from callspool.providers.twilio_form import CHANNELS, FORM, SOURCE, once_each, read_form, read_status

SIGNATURE_HEADER: Final = "telnyx-signature-ed25519"
TIMESTAMP_HEADER: Final = "telnyx-timestamp"

_SAVED: Final = frozenset({"call.recording.saved", "conference.recording.saved"})
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")


def read_event(account: Account, tenant_id: TenantId, request: WebhookRequest) -> Notice | None:
    """Return what the event says of a recording, if it does. Raises `BadSignature`, then `InvalidInput`."""
    check_signature(account, request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
        return _read_texml(account, tenant_id, request)
    event = _object(_document(request.body), "data")
    kind = event.get("event_type")
    if not isinstance(kind, str):
        raise InvalidInput("event_type", "data.event_type is missing.")
    if kind not in _SAVED:
        return None  # call.recording.error too: it names no recording, for there is none
    payload = _object(event, "payload")
    name = payload.get("recording_id")
    if not isinstance(name, str) or UUID.fullmatch(name) is None:
        raise InvalidInput("recording_id", "data.payload.recording_id must be a UUID in lower case.")
    return Notice(
        account_id=account.id,
        tenant_id=tenant_id,
        provider_recording_id=name,
        call_id=read_call_id(payload),
        status=ProviderStatus.COMPLETED,
        channels=read_channels(payload),
        source="conference" if kind.startswith("conference") else None,
        started_at=read_time(payload.get("recording_started_at")),
    )


def _read_texml(account: Account, tenant_id: TenantId, request: WebhookRequest) -> Notice | None:
    """Return what a TeXML application's callback says: a form with Twilio's names, signed as all of Telnyx's are."""
    form, problem = read_form(request)
    if problem is not None:
        raise problem
    fields = once_each(form)
    if "RecordingStatus" not in fields:
        return None  # of the call, or of a conference
    name, call_id = fields.get("RecordingSid", ""), fields.get("CallSid", "")
    if UUID.fullmatch(name) is None:
        raise InvalidInput("RecordingSid", "RecordingSid must be a UUID in lower case.")
    return Notice(
        account_id=account.id,
        tenant_id=tenant_id,
        provider_recording_id=name,
        call_id=call_id if UUID.fullmatch(call_id) else None,
        status=read_status(fields),
        channels=int(text) if CHANNELS.fullmatch(text := fields.get("RecordingChannels", "")) else None,
        source=text if SOURCE.fullmatch(text := fields.get("RecordingSource", "")) else None,
        started_at=read_time(fields.get("RecordingStartTime")),
    )


def check_signature(account: Account, request: WebhookRequest) -> None:
    """Raise `BadSignature` unless Telnyx signed the request with the account's key."""
    timestamp, signature = (request.headers.get(name, "") for name in (TIMESTAMP_HEADER, SIGNATURE_HEADER))
    if not signature or _TIMESTAMP.fullmatch(timestamp) is None:
        raise BadSignature("The headers Telnyx-Signature-Ed25519 and Telnyx-Timestamp are missing.")
    signed = timestamp.encode() + b"|" + request.body
    if not any(_signs(key, signed, signature) for key in account.signing_keys):
        raise BadSignature(f"The signature is not that of the account {account.id}: compare its public key.")


def probe(account: Account, url: str) -> Probe:
    """Return an event without a signature, which only Telnyx can make: where callspool answers, it is refused."""
    return Probe({"Content-Type": "application/json"}, b"{}", 403)


def _signs(public_key: str, signed: bytes, signature: str) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(signature, validate=True), signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _document(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInput("body", "The body must be a JSON object.") from None


def _object(given: object, name: str) -> Mapping[str, object]:
    found = given.get(name) if isinstance(given, dict) else None
    if not isinstance(found, dict):
        raise InvalidInput(name, f"{name} must be an object.")
    return found
