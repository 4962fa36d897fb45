"""Read Twilio's recording callback: first its signature, then its form.

The signature is checked by Twilio's own validator over the public address. Its signed string only joins
names and values, so that `A=1B2` is signed like `A=1&B=2`: therefore ids are taken in their exact form
only, repeated names are refused, and unknown ones are not looked at. RecordingUrl is never read.
"""

import base64
import email.utils
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode

from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator

from callspool.domain.errors import BadSignature, InvalidInput
from callspool.domain.ids import TenantId
from callspool.domain.ports.provider import Notice, ProviderStatus, WebhookRequest
from callspool.domain.recording import Encryption
from callspool.domain.tenant import Account
from callspool.providers.dialect import SID, Dialect, Form
from callspool.providers.profile import Probe
from callspool.providers.twilio_errors import explain

SIGNATURE_HEADER: Final = "x-twilio-signature"

FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 200
STATUSES: Final[Mapping[str, ProviderStatus]] = {
    "in-progress": ProviderStatus.IN_PROGRESS,
    "paused": ProviderStatus.IN_PROGRESS,
    "stopped": ProviderStatus.IN_PROGRESS,
    "processing": ProviderStatus.IN_PROGRESS,
    "completed": ProviderStatus.COMPLETED,
    "absent": ProviderStatus.ABSENT,
}
_DURATION: Final = re.compile(r"[0-9]{1,7}")
CHANNELS: Final = re.compile(r"[1-9]")
SOURCE: Final = re.compile(r"[A-Za-z]{1,40}")
ERROR_CODE: Final = re.compile(r"[1-9][0-9]{0,7}")


def read_callback(dialect: Dialect, account: Account, tenant_id: TenantId, request: WebhookRequest) -> Notice:
    """Return what the callback says. Raises `BadSignature`, then `InvalidInput`."""
    form, problem = read_form(request)
    dialect.check_signature(account, request, form)
    if problem is not None:
        raise problem
    fields = once_each(form)
    if _sid(dialect, fields, "AccountSid", "AC") != account.account_sid:
        raise InvalidInput("AccountSid", f"AccountSid is not that of the account {account.id}.")
    return Notice(
        account_id=account.id,
        tenant_id=tenant_id,
        provider_recording_id=_sid(dialect, fields, "RecordingSid", "RE"),
        call_id=_sid(dialect, fields, "CallSid", "CA") if fields.get("CallSid") else None,
        status=read_status(fields),
        duration_s=read_duration(fields.get("RecordingDuration", "")),
        channels=int(text) if CHANNELS.fullmatch(text := fields.get("RecordingChannels", "")) else None,
        source=text if SOURCE.fullmatch(text := fields.get("RecordingSource", "")) else None,
        started_at=read_date(fields.get("RecordingStartTime", "")),
        error=explain(text) if ERROR_CODE.fullmatch(text := fields.get("ErrorCode", "")) else None,
        encryption=read_encryption_text(fields.get("EncryptionDetails", "")),
    )


def read_form(request: WebhookRequest) -> tuple[Form, InvalidInput | None]:
    """Return the form, empty where the body is not one, and then what is wrong with it."""
    form = Form()
    kind = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if kind != FORM:
        return form, InvalidInput("body", f"The body must be a form ({FORM}).")
    try:
        pairs = parse_qsl(
            request.body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:  # UnicodeDecodeError is one too
        return form, InvalidInput("body", f"The body must be a form in UTF-8 of at most {_MOST_FIELDS} fields.")
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form, None


def once_each(form: Form) -> dict[str, str]:
    """Return the form's values by their names. Raises `InvalidInput` where a name is given twice."""
    for name, values in form.items():
        if len(values) > 1:
            raise InvalidInput(name[:60], f"{name[:60]} is given {len(values)} times; once is right.")
    return {name: values[0] for name, values in form.items()}


def check_signature(account: Account, request: WebhookRequest, form: Form) -> None:
    """Raise `BadSignature` unless Twilio signed the request.

    The algorithm is the account's, never the sender's: with a shared key it is HMAC-SHA256, else HMAC-SHA1 with the
    auth token.
    """
    signature = request.headers.get(SIGNATURE_HEADER, "")
    if not signature:
        raise BadSignature("The header X-Twilio-Signature is missing.")
    if account.signing_keys:
        for key in account.signing_keys:
            if RequestValidator(key).validate(request.url, form, signature, HMAC_SHA256):
                return
        raise BadSignature(f"The signature is not made with SHA-256 and the shared key of the account {account.id}.")
    for token in (account.auth_token, account.previous_auth_token):
        if token and RequestValidator(token).validate(request.url, form, signature):
            return
    raise BadSignature(
        f"The signature is not that of the account {account.id}: compare its auth token, and the public address."
    )


def probe(account: Account, url: str) -> Probe:
    """Return a signed callback with a status that there is not: an address that was not changed on the way gets 422."""
    form = probe_form(account)
    key = account.signing_key or account.auth_token
    algorithm = HMAC_SHA256 if account.signing_key else HMAC_SHA1
    signature = RequestValidator(key).compute_signature(url, form, algorithm)
    return Probe({"Content-Type": FORM, SIGNATURE_HEADER: signature}, urlencode(form).encode(), 422)


def probe_form(account: Account) -> dict[str, str]:
    """Return what a probe says."""
    return {"AccountSid": account.account_sid, "RecordingStatus": "callspool-doctor"}


def _sid(dialect: Dialect, fields: Mapping[str, str], name: str, prefix: str) -> str:
    value = fields.get(name, "")
    if dialect.ids[prefix].fullmatch(value) is None:
        raise InvalidInput(name, f"{name} must be {dialect.id_words[prefix]}.")
    return value


def read_status(fields: Mapping[str, str]) -> ProviderStatus:
    """Return RecordingStatus in our words. Raises `InvalidInput`."""
    status = STATUSES.get(fields.get("RecordingStatus", ""))
    if status is None:
        raise InvalidInput("RecordingStatus", f"RecordingStatus must be one of {', '.join(STATUSES)}.")
    return status


def read_duration(text: str) -> float | None:
    """Return seconds, or None for what is no number of them."""
    return float(text) if _DURATION.fullmatch(text) else None  # "-1" while it is not known


def read_encryption_text(text: str) -> Encryption | None:
    """Return what the callback's JSON says; None for nothing. Raises `InvalidInput`."""
    if not text:
        return None
    try:
        return read_encryption(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise InvalidInput("EncryptionDetails", f"EncryptionDetails cannot be read: {str(error)[:100]}.") from None


def read_encryption(given: object) -> Encryption:
    """Return what decrypts a recording, by the callback's names or those of the API. Raises `InvalidInput`."""
    try:
        if not isinstance(given, dict):
            raise ValueError("it is not an object")
        read = {
            name: given.get(name, given.get(f"encryption_{name.removeprefix('encrypted_')}"))
            for name in ("public_key_sid", "encrypted_cek", "iv")
        }
        sid = str(read["public_key_sid"])
        wrapped, iv = (base64.b64decode(str(read[name]), validate=True) for name in ("encrypted_cek", "iv"))
    except ValueError as error:
        raise InvalidInput("EncryptionDetails", f"EncryptionDetails cannot be read: {str(error)[:100]}.") from None
    if SID["CR"].fullmatch(sid) is None or not 128 <= len(wrapped) <= 1024 or not 8 <= len(iv) <= 64:
        raise InvalidInput(
            "EncryptionDetails",
            "EncryptionDetails must name a public key (CR and 32 hex digits), a wrapped key of 128 to 1,024 bytes and "
            "an iv of 8 to 64 bytes, the last two in base64.",
        )
    return Encryption(sid, wrapped, iv)


def read_date(text: str) -> datetime | None:
    """Return a date as mail headers write them, in UTC, or None."""
    try:
        date = email.utils.parsedate_to_datetime(text)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
