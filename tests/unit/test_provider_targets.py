"""Where a provider may lead a download to, whatever it calls the place and whatever name servers say later."""

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.domain.errors import FetchFailed
from callspool.domain.reasons import Reason
from callspool.providers import targets
from callspool.providers.targets import S3, Target, is_host, permitted
from callspool.providers.twilio import Twilio
from tests.fixtures import made
from tests.fixtures.wire import Asked, Reply, serve

HOME = "https://api.twilio.com"


@pytest.mark.parametrize(
    "host",
    [
        *(
            "calls.s3.amazonaws.com",
            "s3.amazonaws.com",
            "calls.s3.eu-west-1.amazonaws.com",
            "s3.us-east-1.amazonaws.com",
        ),
        *("calls.s3-us-west-2.amazonaws.com", "my.calls.s3.ap-southeast-2.amazonaws.com"),
        *("calls.s3.dualstack.us-gov-west-1.amazonaws.com", "calls.s3-accelerate.amazonaws.com"),
    ],
)
def test_hosts_of_buckets_are_known(host: str) -> None:
    assert is_host(host, {S3})


@pytest.mark.parametrize(
    "host",
    [
        *(
            "ec2-203-0-113-5.compute-1.amazonaws.com",
            "ec2-203-0-113-5.eu-west-1.compute.amazonaws.com",
            "amazonaws.com",
        ),
        *(
            "x.execute-api.eu-west-1.amazonaws.com",
            "lb-1.eu-west-1.elb.amazonaws.com",
            "calls.s3-website.amazonaws.com",
        ),
        *("s3.amazonaws.com.evil.example", "evils3.amazonaws.com", "s3.evil.amazonaws.com", "calls.s3.amazonaws.com."),
        *("s3.eu-west-1.compute.amazonaws.com", ""),
    ],
)
def test_what_else_their_owner_rents_out_is_no_bucket(host: str) -> None:
    assert not is_host(host, {S3})


@given(st.from_regex(r"[a-z0-9.-]{1,40}\.amazonaws\.com", fullmatch=True))
def test_only_a_name_with_s3_in_its_place_is_a_bucket(host: str) -> None:
    labels = host.removesuffix(".amazonaws.com").split(".")
    if is_host(host, {S3}):
        assert any(label == "s3" or label.startswith("s3-") for label in labels[-3:])


async def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let a name server give these answers, one each time it is asked; return what it was asked."""
    asked: list[str] = []

    async def look(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look)
    return asked


async def test_a_name_that_leads_into_a_private_network_in_part_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    await names(monkeypatch, ["1.1.1.1", "10.0.0.1"], ["1.1.1.1"])
    with pytest.raises(FetchFailed) as failed:
        await permitted(HOME, "https://calls.s3.amazonaws.com/x", {S3})
    assert failed.value.reason is Reason.REDIRECT_REFUSED
    found = await permitted(HOME, "https://calls.s3.amazonaws.com/x", {S3})
    assert found == Target("https://calls.s3.amazonaws.com/x", "1.1.1.1")


async def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is bound to another address after the look: the connection still goes where the look said."""
    hello = asyncio.get_running_loop().create_future()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello.set_result(await reader.read(4096))
        writer.close()

    async def redirect(asked: Asked, reply: Reply) -> None:
        await reply.whole("302 Found", location=f"https://calls.rebound.invalid:{port}/x")

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    looks = await names(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    monkeypatch.setattr(targets, "is_public", lambda address: address == "127.0.0.1")
    twilio = Twilio(allowed_hosts=frozenset({".rebound.invalid"}))
    async with serve(redirect) as wire, server:
        with pytest.raises(FetchFailed) as failed:
            async with twilio.open(made.account(base_url=wire.url), made.recording()):
                pass
    await twilio.close()

    assert failed.value.reason is Reason.UNREACHABLE  # it showed no certificate
    assert b"calls.rebound.invalid" in hello.result()
    assert looks == ["calls.rebound.invalid"]
