"""What is sent to foreign URLs, and where nothing is ever sent to."""

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from callspool.domain.addresses import is_public
from callspool.domain.errors import InvalidInput
from callspool.domain.webhook import Endpoint, Subject, check_url, headers, new_endpoint, new_secret
from callspool.fetch.sender import send
from tests.fixtures.receiver import receiving

NOW = datetime.now(UTC)  # the official library compares it with the real time
BODY = json.dumps({"type": "recording.ready", "data": {"id": "rec_1"}}).encode()


def endpoint(url: str = "https://receiver.example/", **changes: Any) -> Endpoint:
    made = new_endpoint(None, url, list(Subject), now=NOW, randomness=bytes(range(40)))
    return Endpoint(**{**{name: getattr(made, name) for name in Endpoint.__slots__}, **changes})


@given(st.binary(min_size=32, max_size=32), st.text(max_size=50))
def test_the_official_library_accepts_what_is_signed(randomness: bytes, text: str) -> None:
    secret, body = new_secret(randomness), json.dumps({"text": text}).encode()
    sent = headers(endpoint(secret=secret), "dlv_1", body, NOW)

    assert Webhook(secret).verify(body, sent) == {"text": text}
    for changed in ({"webhook-id": "dlv_2"}, {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, {**sent, **changed})
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", sent)


def test_after_a_rotation_both_secrets_verify_until_the_old_one_ends() -> None:
    old, new = new_secret(b"o" * 32), new_secret(b"n" * 32)
    rotated = endpoint(secret=new, previous_secret=old, previous_until=NOW + timedelta(hours=1))
    sent = headers(rotated, "dlv_1", BODY, NOW)
    assert Webhook(old).verify(BODY, sent) == Webhook(new).verify(BODY, sent)

    over = endpoint(secret=new, previous_secret=old, previous_until=NOW)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(BODY, headers(over, "dlv_1", BODY, NOW))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1"),
        *("64:ff9b::10.0.0.1", "2002:7f00:1::", "fe80::1%lo", "no address"),
    ],
)
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_public_addresses_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://receiver.example/", "ftp://receiver.example/", "https://", "//receiver.example/", "receiver.example"),
        *("https://user:word@receiver.example/", "https://receiver.example/#part", "https://receiver.example:0/"),
        *("https://receiver.example:99999/", "https://receiver.example/ x", "https://receiver.example\\@10.0.0.1/"),
        *("https://réceiver.example/", "https://[::1/", "https://receiver.example/" + "x" * 2000, "https://a\nb/"),
    ],
)
def test_a_url_of_another_form_is_no_endpoint(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_url(url, private=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]"])
async def test_nothing_is_sent_into_a_private_network(host: str) -> None:
    async with receiving() as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        answer = await send(endpoint(f"https://{host}:{port}/"), "dlv_1", BODY, NOW, private=False)

    assert answer.status is None
    assert answer.error is not None
    assert "private network" in answer.error
    assert receiver.came == []


async def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no name server knows is reached where the one look said that it is."""
    looks = []

    async def look(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        looks.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with receiving() as receiver:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look)
        named = endpoint(receiver.url.replace("127.0.0.1", "receiver.invalid"))
        answer = await send(named, "dlv_1", BODY, NOW, private=True)

    assert (answer.status, looks) == (204, ["receiver.invalid"])
    assert receiver.came[0][0]["host"].startswith("receiver.invalid:")


async def test_a_redirect_is_not_followed() -> None:
    async with receiving() as second, receiving(f"307 Temporary Redirect\r\nLocation: {second.url}") as first:
        answer = await send(endpoint(first.url), "dlv_1", BODY, NOW, private=True)

    assert (answer.status, answer.error) == (307, "it answered 307")
    assert (len(first.came), second.came) == (1, [])


async def test_a_name_that_nobody_knows_and_a_closed_port_are_told_apart() -> None:
    async with receiving() as receiver:
        closed = receiver.url
    unknown = await send(endpoint("https://receiver.invalid/"), "dlv_1", BODY, NOW, private=True)
    refused = await send(endpoint(closed), "dlv_1", BODY, NOW, private=True)

    assert (unknown.error, refused.error) == ("the host's name is not known", "no connection")


async def test_an_endpoint_may_ask_for_time() -> None:
    async with receiving("503 Service Unavailable\r\nRetry-After: 77") as receiver:
        answer = await send(endpoint(receiver.url), "dlv_1", BODY, NOW, private=True)

    assert (answer.status, answer.retry_after) == (503, timedelta(seconds=77))
