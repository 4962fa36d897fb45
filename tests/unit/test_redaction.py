"""What is taken out of lines, in every form that it comes in; and what must stay, or nobody could use them."""

import json
import time

import pytest

from callspool.redaction import hide_named, redact, redact_all

NUMBERS = [
    "+15005550006",
    "%2B15005550006",
    "%2b15005550006",
    "15005550006",
    "(500) 555-0006",
    "1 (500) 555-0006",
    "500-555-0006",
    "500.555.0006",
    "+1-500-555-0006",
    "+1 (500) 555-0006",
    "%2B1%20500%20555%200006",
    "%2B1%20%28500%29%20555-0006",
    "+442079460000",
    "+44 20 7946 0000",
    "+972-50-555-0006",
]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "the number {} is not ours",
        "call from {}, refused",
        "/calls?To={}&x=1",
        "Call(to='{}', id=1)",
        "{{'from_number': '{}'}}",
        '{{\\"Caller\\": \\"{}\\"}}',
    ],
)
def test_no_form_of_a_phone_number_stays(number: str, text: str) -> None:
    for seen in (redact(text.format(number)), redact(json.dumps({"text": text.format(number)}))):
        assert "555" not in seen
        assert "0006" not in seen
        assert "7946" not in seen


@pytest.mark.parametrize("number", ["442079460000", "020 7946 0000"])
@pytest.mark.parametrize("text", ["From={}&x=1", "to_number='{}'", '"called": "{}"', "caller: {}"])
def test_a_number_without_a_plus_is_known_by_its_name(number: str, text: str) -> None:
    assert "7946" not in redact(text.format(number))


@pytest.mark.parametrize(
    "text",
    [
        "auth_token=CANARY",
        "Account(id='main', auth_token='CANARY', limit=3)",
        'Account(auth_token="CANARY with a space")',
        "{'auth_token': 'CANARY', 'id': 1}",
        '{"api_secret": "CANARY"}',
        r"{\"api_secret\": \"CANARY\"}",
        r"password='CANARY\'CANARY' next",
        "api_secret=CANARY&id=1",
        "signing_key=CANARY",
        "password=CANARY/CANARY",
        "password: CANARY",
        "csrf=CANARY",
        "X-CSRF-Token: CANARY",
        "api_key=CANARY",
        "whsec_CANARYCANARYCANARY",
        "webhook-signature: v1,CANARYCANARYCANARYCANARY= v1,CANARYCANARYCANARYCANARY=",
        "X-Twilio-Signature: CANARY=",
        "telnyx-signature-ed25519: CANARY",
        "('x-twilio-signature', b'ignored') {'x-twilio-signature': 'CANARY'}",
        "Cookie: callspool=CANARY; other=CANARY",
        "Set-Cookie: __Host-callspool=CANARY; HttpOnly; Path=/",
        "{'cookie': '__Host-callspool=CANARY; other=CANARY'}",
        "a jar with __Host-callspool=CANARYCANARYCANARYCANARY in it",
        "Authorization: Basic CANARYCANARY",
        "authorization: Bearer CANARYCANARY",
        "Authorization: CANARY",
        "https://a.example/audio?x=1&token=CANARY&y=2",
        "GET /api/session/oidc/callback?code=CANARY&iss=https%3A%2F%2Fissuer.example",
        "https://s3.example/a?X-Amz-Signature=CANARY&X-Amz-Credential=CANARY",
        "postgresql://callspool:CANARY@db.example/callspool",
        "postgresql://callspool:CANARY/CANARY@db.example/callspool",
        "postgresql://callspool:CANARY@CANARY@db.example/callspool",
        "postgresql+asyncpg://callspool:12/CANARY#?@db.example:5432/callspool",
        "valkey://:CANARY@cache.example:6379/0",
    ],
)
def test_no_form_of_a_secret_stays(text: str) -> None:
    for seen in (redact(text), redact(json.dumps({"text": text})), redact(repr({"text": text}))):
        assert "CANARY" not in seen


@pytest.mark.parametrize(
    "text",
    [
        "recording rec_018f0000000070008000000000000001 of RE0123456789abcdef0123456789abcdef is ready",
        "at 2026-05-04T12:00:00+0000, at 2026-05-04T12:00:00+10:00 200 512, 12:00:00+1000 2026-05-04",
        "at 1764111111 s, 1764111111111 ms, 1764111111111222333 ns",
        '{"size": 15005550006, "duration_s": 12.25, "seq": 15005550006}',
        "size=15005550006 offset=15005550006",
        "read 15005550006 bytes in 15005550006 ms",
        "bytes 0-15005550006/15005550007",
        "from=2026-05-04 to=2026-05-05",
        "01a214ef-cce3-71f3-84cd-06cf0c277d06",
        "10.0.200.212:8400 and 192.168.100.100",
        "https://calls.example:8400/api/recordings?limit=50",
        '{"signature": null, "token": null, "csrf": true}',
        "AttributeError: 'Store' object has no attribute 'tokens'",
        "postgresql://callspool@db.example:5432/callspool",
        '"GET /api/recordings HTTP/1.1" 200 512 1024',
    ],
)
def test_ids_sizes_and_times_stay(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "name",
    [
        *("token", "auth_token", "authToken", "AuthToken", "api_secret", "password", "signing_key", "secret_key"),
        *("csrf", "csrf_token", "X-Twilio-Signature", "set-cookie", "authorization", "api_key", "credentials"),
        *("from", "to", "From", "from_number", "to_number", "caller", "called"),
    ],
)
def test_what_stands_under_a_secret_s_name_is_hidden_however_deep(name: str) -> None:
    assert "CANARY" not in repr(hide_named({name: "CANARY"}))
    assert "CANARY" not in repr(hide_named({"a": [{"b": {name: ["CANARY"]}}]}))


def test_other_names_keep_their_values() -> None:
    event = {"key_id": "key_1", "tenant_id": "acme", "size": 1, "token": None, "keys": ["a"], "tokens": 3}

    assert hide_named(event) == event


@pytest.mark.parametrize(
    "piece",
    ["token=", "://a:", "token='\\'", 'token="', 'token=\\"', "+1 ", "cookie: a;", "From=1 ", "1(500", "v1,aaa"],
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (64 * 1024 // len(piece))
    begun = time.process_time()
    redact(text)
    assert time.process_time() - begun < 1.0


def test_what_is_rendered_as_json_is_redacted_text_by_text() -> None:
    event = {"a": ["token=CANARY", ("+15005550006", 15005550006)], "b": {"+15005550006": ValueError("token=CANARY")}}

    assert redact_all(event) == {"a": ["token=***", ["+***", 15005550006]], "b": {"+***": "token=***"}}
