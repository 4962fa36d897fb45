"""Sign what is sent to the customer, each provider in its own way."""

import base64
import hmac
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def sign(auth_token: str, url: str, form: Mapping[str, str], digest: str = "sha1") -> str:
    """Return Twilio's signature of a form that is sent to *url*."""
    text = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(auth_token.encode(), text.encode(), digest).digest()).decode()


def sign_body(signing_key: str, url: str, body: bytes) -> str:
    """Return SignalWire's signature of a body that is sent to *url*."""
    return hmac.new(signing_key.encode(), url.encode() + body, "sha1").hexdigest()


class KeyPair:
    """An Ed25519 key, the same from the same seed."""

    def __init__(self, seed: str) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(hmac.new(b"telnyx", seed.encode(), "sha256").digest())

    @property
    def public(self) -> str:
        """The public half, as the portal shows it."""
        return base64.b64encode(self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def sign(self, timestamp: str, body: bytes) -> str:
        """Return Telnyx's signature of a body that is sent at that time."""
        return base64.b64encode(self._private.sign(timestamp.encode() + b"|" + body)).decode()
