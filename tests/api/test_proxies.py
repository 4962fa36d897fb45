"""Who asks, where reverse proxies stand between: for the audit log and for those who guess passwords."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from callspool.domain.errors import Misconfigured
from callspool.domain.ports.store import Store
from callspool.scheduler.connection import Functions
from callspool.settings import Settings
from tests.api.conftest import Api, SettableClock, running


@pytest.fixture
async def behind(tmp_path: Path, clock: SettableClock, store: Store, functions: Functions) -> AsyncIterator[Api]:
    """An API that believes this machine and a private network."""
    async with running(tmp_path, clock, store, functions, trusted_proxies="127.0.0.1, 10.0.0.0/8, fd00::/8") as api:
        yield api


async def seen(api: Api, *forwarded: str) -> str:
    """The address that the audit log has for a change of somebody behind these."""
    fields = [("x-forwarded-for", value) for value in forwarded]
    headers = httpx.Headers([*api.as_("operator").items(), *fields])
    assert (await api.client.patch("/api/tenants/acme", json={"slots": 2}, headers=headers)).status_code == 200
    address: str = (await api.get("/api/audit?limit=1", "operator")).json()["entries"][0]["address"]
    return address


@pytest.mark.parametrize(
    ("forwarded", "asking"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (["198.51.100.1, 203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        (["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        (["2001:db8::1, fd00::2"], "2001:db8::1"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["10.1.2.3"], "10.1.2.3"),
        (["127.0.0.1, garbage, 10.1.2.3"], "10.1.2.3"),
        (["garbage"], "127.0.0.1"),
        ([""], "127.0.0.1"),
        ([], "127.0.0.1"),
    ],
)
async def test_the_last_address_that_is_no_proxy_s_asks(behind: Api, forwarded: list[str], asking: str) -> None:
    assert await seen(behind, *forwarded) == asking


async def test_nobody_is_believed_who_was_not_named(api: Api) -> None:
    assert await seen(api, "203.0.113.9") == "127.0.0.1"


async def test_one_who_guesses_slows_no_other(behind: Api) -> None:
    async def guess(name: str, address: str) -> int:
        wish = {"name": name, "password": "wrong" * 3}
        answer = await behind.client.post("/api/session", json=wish, headers={"x-forwarded-for": address})
        return answer.status_code

    guesses = 0
    while await guess(f"name{guesses}", "203.0.113.9") != 429:
        guesses += 1
        assert guesses < 100
    assert await guess("another", "198.51.100.1") == 401


async def test_through_a_proxy_nobody_is_on_this_machine(behind: Api) -> None:
    assert (await behind.get("/metrics", None, headers={"x-forwarded-for": "127.0.0.1"})).status_code == 403


async def test_what_was_signed_is_compared_with_the_public_address_alone(behind: Api) -> None:
    headers = {"x-forwarded-for": "203.0.113.9", "x-forwarded-host": "evil.example", "x-forwarded-proto": "http"}

    assert (await behind.webhook(headers=headers)).status_code == 204


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.1/8", "10.0.0.0/8;127.0.0.1"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="CALLSPOOL_TRUSTED_PROXIES"):
        Settings.read({}, trusted_proxies=text)
