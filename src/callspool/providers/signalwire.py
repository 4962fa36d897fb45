"""SignalWire: Twilio's protocol with ids, signatures and media of its own. The `Provider` port.

Its media are public, so no credentials are sent for them; a file has the channels that it was recorded with.
"""

import hmac
from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit

from twilio.request_validator import RequestValidator

from callspool.domain.errors import BadSignature
from callspool.domain.ports.provider import WebhookRequest
from callspool.domain.tenant import Account
from callspool.providers.dialect import UUID, Dialect, Form
from callspool.providers.profile import Probe, Profile
from callspool.providers.targets import S3
from callspool.providers.twilio import Twilio
from callspool.providers.twilio_form import probe_form

MEDIA_HOSTS: Final = frozenset({".signalwire.com", S3})
SIGNATURE_HEADERS: Final = ("x-signalwire-signature", "x-twilio-signature")


def probe(account: Account, url: str) -> Probe:
    """Return a signed callback with a status that there is not: an address that was not changed on the way gets 422."""
    body = urlencode(probe_form(account)).encode()
    signature = hmac.new((account.signing_key or "").encode(), url.encode() + body, "sha1").hexdigest()
    headers = {"Content-Type": "application/x-www-form-urlencoded", SIGNATURE_HEADERS[0]: signature}
    return Probe(headers, body, 422)


PROFILE: Final = Profile(
    name="signalwire",
    title="SignalWire",
    sid=UUID,
    sid_words="the project ID, a UUID in lower case",
    base_url="",
    regional=None,
    secret="API token",  # noqa: S106 - its name, not its value
    signing_key="the signing key of the space, from its API page",
    needs_signing_key=True,
    probe=probe,
    key=None,
    key_words="no other key; it has one secret, --token",
    setup="Set this as the recording status callback at SignalWire (base address https://SPACE.signalwire.com/api/laml):",
)


class SignalWire(Twilio):
    """One for each process: it keeps the connections."""

    def __init__(
        self,
        *,
        connect_timeout: timedelta = timedelta(seconds=10),
        first_byte_timeout: timedelta = timedelta(seconds=30),
        stall_timeout: timedelta = timedelta(seconds=30),
        allowed_hosts: frozenset[str] = MEDIA_HOSTS,
    ) -> None:
        super().__init__(
            connect_timeout=connect_timeout,
            first_byte_timeout=first_byte_timeout,
            stall_timeout=stall_timeout,
            allowed_hosts=allowed_hosts,
            dialect=_DIALECT,
        )


def check_signature(account: Account, request: WebhookRequest, form: Form) -> None:
    """Raise `BadSignature` unless SignalWire signed the request: by its own scheme, or by Twilio's."""
    signature = next((found for name in SIGNATURE_HEADERS if (found := request.headers.get(name))), "")
    if not signature:
        raise BadSignature("The header X-SignalWire-Signature is missing.")
    if signature.isascii() and any(_signs(key, request, form, signature) for key in account.signing_keys):
        return
    raise BadSignature(
        f"The signature is not that of the account {account.id}: compare its signing key, and the public address."
    )


def _signs(key: str, request: WebhookRequest, form: Form, signature: str) -> bool:
    for url in _with_and_without_port(request.url):
        ours = hmac.new(key.encode(), url.encode() + request.body, "sha1").hexdigest()
        if hmac.compare_digest(ours, signature):
            return True
    return bool(RequestValidator(key).validate(request.url, form, signature))


def _with_and_without_port(url: str) -> Iterator[str]:
    yield url
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0] if parts.port else f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"
    yield parts._replace(netloc=host).geturl()


_DIALECT: Final = Dialect(
    ids=dict.fromkeys(("AC", "RE", "CA"), UUID),
    id_words=dict.fromkeys(("AC", "RE", "CA"), "a UUID in lower case"),
    check_signature=check_signature,
    asks_for_two=False,
    media_is_public=True,
)
