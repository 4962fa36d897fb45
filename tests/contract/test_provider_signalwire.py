"""SignalWire alone: its own signature, and Twilio's, which its compatible API may send instead."""

from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from callspool.domain.errors import BadSignature
from callspool.domain.ids import TenantId
from callspool.domain.ports.provider import Notice, WebhookRequest
from callspool.providers.signalwire import SignalWire
from callspool.simulator.signing import sign_body
from tests.fixtures import made

PROJECT, RECORDING, CALL = (f"0193a4b5-c6d7-4e8f-90a1-b2c3d4e5f60{n}" for n in (7, 8, 9))
URL = "https://calls.example.com/webhooks/signalwire/wire"
FORM = {"AccountSid": PROJECT, "RecordingSid": RECORDING, "CallSid": CALL, "RecordingStatus": "completed"}
BODY = urlencode(FORM).encode()


def read(headers: dict[str, str], body: bytes = BODY, url: str = URL) -> Notice:
    account = made.account(provider="signalwire", account_sid=PROJECT, signing_key="the-key", auth_token="the-token")
    return SignalWire().read_webhook(account, TenantId("acme"), WebhookRequest(url, headers, body))


@pytest.mark.parametrize("name", ["x-signalwire-signature", "x-twilio-signature"])
@pytest.mark.parametrize("scheme", ["signalwire", "twilio"])
def test_either_scheme_is_accepted_under_either_name(name: str, scheme: str) -> None:
    twilios = RequestValidator("the-key").compute_signature(URL, FORM)
    signature = sign_body("the-key", URL, BODY) if scheme == "signalwire" else twilios
    assert read({name: signature}).provider_recording_id == RECORDING


@pytest.mark.parametrize("scheme", ["signalwire", "twilio"])
def test_neither_scheme_counts_with_another_key_address_or_body(scheme: str) -> None:
    def signature(key: str = "the-key", url: str = URL, form: dict[str, str] = FORM) -> str:
        if scheme == "signalwire":
            return sign_body(key, url, urlencode(form).encode())
        return str(RequestValidator(key).compute_signature(url, form))

    wrong = [
        *(signature("the-token"), signature(url=URL + "/other"), signature(form={**FORM, "RecordingStatus": "absent"})),
        *(signature().swapcase(), signature()[:-1], ""),
    ]
    for one in wrong:
        with pytest.raises(BadSignature):
            read({"x-signalwire-signature": one})
