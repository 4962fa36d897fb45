"""``callspool doctor``: each finding, by bringing it about."""

import asyncio
import json
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import valkey.asyncio

from callspool.cli.doctor import arrival, identity, outside, parts
from callspool.cli.doctor.finding import Finding
from callspool.domain.ids import AccountId
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.recording import State
from callspool.wiring import Parts
from tests.acceptance.command import run_here
from tests.acceptance.system import System, system
from tests.fixtures.oidc import providing
from tests.fixtures.ports import free_port
from tests.fixtures.wire import Asked, Reply, serve

UUID_OF_IT = "0193a4b5-c6d7-4e8f-90a1-b2c3d4e5f607"
LONG_AGO = "Thu, 01 Jan 2026 00:00:00 GMT"


def levels(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Return what was found, without words."""
    return [(one.check, one.level) for one in findings]


def set_to(opened: Parts, **changes: object) -> Parts:
    """Return the parts with other settings."""
    return replace(opened, settings=opened.settings.model_copy(update=changes))


async def base_url(running: System, url: str, token: str = "secret-token") -> None:
    """Give the account another address or token."""
    account = await running.parts.store.account(AccountId("main"))
    await running.parts.store.set_account(replace(account, base_url=url, auth_token=token))


async def test_doctor_finds_what_is_wrong_on_the_way_to_us_and_to_the_provider(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        right = set_to(running.parts, public_url=running.url)
        (found,) = await arrival.public_address(right)
        assert (found.level, "arrives there as it was sent" in found.seen) == (
            "warning",
            True,
        )  # nobody else reaches it
        assert levels(await outside.accounts(right)) == [("account main", "ok")]
        assert levels(await outside.clock(right)) == [("clock", "ok")] * 2
        assert (await running.parts.store.list(RecordingFilter(), cursor=None, limit=1)).recordings == ()

        (found,) = await arrival.public_address(set_to(right, public_url=running.url.replace("127.0.0.1", "localhost")))
        assert (found.level, "403" in found.seen, "not what was signed" in found.do) == ("error", True, True)
        (found,) = await arrival.public_address(set_to(right, public_url=f"{running.url}/elsewhere"))
        assert found.level == "error"
        (found,) = await arrival.public_address(set_to(right, public_url=f"http://127.0.0.1:{free_port()}"))
        assert (found.level, "nobody answers" in found.seen) == ("warning", True)
        (found,) = await arrival.public_address(set_to(right, public_url="here"))
        assert (found.level, "https://your.host" in found.do) == ("error", True)

        await base_url(running, running.simulator.url, "another-token")
        (found,) = await outside.accounts(right)
        assert (found.level, "unauthorized" in found.seen, "region" in found.do) == ("error", True, True)
        await base_url(running, f"http://127.0.0.1:{free_port()}")
        (found,) = await outside.accounts(right)
        assert (found.level, "unreachable" in found.seen) == ("error", True)


async def test_doctor_looks_at_the_identity_provider(tmp_path: Path) -> None:
    async with system(tmp_path) as running, providing() as provider:

        async def seen(**changes: object) -> tuple[str, str]:
            (found,) = await identity.identity(set_to(running.parts, oidc_issuer=provider.url, **changes))
            return found.level, found.seen

        assert await identity.identity(running.parts) == []
        assert await seen() == ("warning", "it lets nobody in")
        assert await seen(oidc_grants="admins=operator, x=tenant:acme") == ("ok", f"{provider.url} answers; keys: 1")
        assert await seen(oidc_grants="x=tenant:nobody") == ("warning", "there is no tenant nobody")
        provider.document = {"issuer": "https://another.example"}
        assert (await seen())[0] == "error"
        provider.url = f"http://127.0.0.1:{free_port()}"
        assert (await seen())[0] == "error"


async def test_doctor_signs_as_each_accounts_provider_does(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        right = set_to(running.parts, public_url=running.url)
        main = await running.parts.store.account(AccountId("main"))
        await running.parts.store.set_account(replace(main, signing_key="a shared key"))
        wire = replace(main, id=AccountId("wire"), provider="signalwire", signing_key="key", account_sid=UUID_OF_IT)
        await running.parts.store.add_account(wire)
        await running.parts.store.add_account(replace(wire, id=AccountId("wire2"), signing_key="another"))
        tel = replace(main, id=AccountId("tel"), provider="telnyx", signing_key="public", account_sid="")
        await running.parts.store.add_account(tel)

        found = await arrival.public_address(right)
        assert [one.seen.rpartition(": ")[2] for one in found] == [
            "a signed webhook arrives there as it was sent (Twilio)",
            "webhooks arrive there (Telnyx)",
            "a signed webhook arrives there as it was sent (SignalWire)",
        ]
        assert {one.level for one in found} == {"warning"}  # nobody else reaches it

        found = await arrival.public_address(set_to(right, public_url=running.url.replace("127.0.0.1", "localhost")))
        assert [(one.level, "not what was signed" in one.do) for one in found if "Telnyx" not in one.seen] == (
            [("error", True)] * 2
        )
        async with serve(lambda asked, reply: reply.whole("403 Forbidden", b"no")) as proxy:
            found = await arrival.public_address(set_to(right, public_url=proxy.url))
            assert {one.level for one in found} == {"error"}  # a 403 of somebody else's is none of ours


async def test_doctor_sees_that_an_account_is_in_another_region(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        await base_url(running, await running.simulator.open_region("ie1"))
        (found,) = await outside.accounts(running.parts)
        assert (found.level, "20404" in found.seen) == ("error", True)
        assert "callspool accounts set main --region" in found.do


async def test_doctor_sees_redirects_and_clocks_that_differ(tmp_path: Path) -> None:
    async def moved(asked: Asked, reply: Reply) -> None:
        await reply.whole("308 Permanent Redirect", location="https://there.example", date=LONG_AGO)

    async with system(tmp_path) as running, serve(moved) as elsewhere:
        (found,) = await arrival.public_address(set_to(running.parts, public_url=elsewhere.url))
        assert (found.level, "https://there.example" in found.do) == ("error", True)
        await base_url(running, elsewhere.url)
        assert levels(await outside.clock(running.parts)) == [("clock", "ok"), ("clock", "error")]


async def test_doctor_asks_the_workers_that_fetch(tmp_path: Path) -> None:
    async with system(tmp_path, lease=30) as running:
        assert levels(await outside.spool(running.parts)) == [("spool", "ok")]
        worker = await running.worker()
        await running.reaches(await running.call(duration_s=30.0, rate=20_000.0), State.FETCHING)

        (found,) = await outside.spool(running.parts)
        assert (found.level, "answers" in found.seen) == ("ok", True)
        (found,) = await outside.spool(replace(running.parts, secret_key=b"another" * 4))
        assert (found.level, "CALLSPOOL_SECRET_KEY_FILE" in found.do) == ("error", True)
        await worker.end(signal.SIGKILL)
        (found,) = await outside.spool(running.parts)
        assert (found.level, "does not answer" in found.seen) == ("error", True)
        fleet = set_to(running.parts, valkey_url="valkey://valkey.internal:6379/0")
        async with asyncio.timeout(60):
            for one in (await fleet.store.list(RecordingFilter(), cursor=None, limit=10)).recordings:
                await fleet.store.cancel(None, one.id, actor="cli")
        assert levels(await outside.spool(fleet)) == [("spool", "warning")]


async def test_doctor_says_what_is_wrong_with_valkey_and_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with system(tmp_path) as running:
        assert levels(await parts.valkey(running.parts)) == [("valkey", "ok")]
        client = valkey.asyncio.Valkey.from_url(running.valkey.url)
        await client.config_set("appendonly", "no")
        assert levels(await parts.valkey(running.parts)) == [("valkey", "warning")]
        await client.config_set("maxmemory-policy", "allkeys-lru")
        (found,) = await parts.valkey(running.parts)
        assert (found.level, "noeviction" in found.do) == ("error", True)
        await client.aclose()

        (found,) = await parts.disk(set_to(running.parts, spool_reserve=1 << 60))
        assert (found.level, "claim nothing" in found.do) == ("error", True)
        assert levels(await parts.store(running.parts)) == [("store", "ok")]
        assert levels(await parts.vault(running.parts)) == [("vault", "ok")]

        running.valkey.kill()
        for name, value in running.parts.settings.as_environment().items():
            monkeypatch.setenv(name, value)
        code, out, err = await run_here("doctor", "--json")
        found_by_name = {one["check"]: one for one in json.loads(out)}
        assert (code, err) == (1, "")
        assert found_by_name["valkey"]["level"] == "error"
        assert "callspool up" in found_by_name["valkey"]["do"]
        assert {found_by_name[name]["level"] for name in ("store", "vault", "account main")} == {"ok"}


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("CALLSPOOL_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing", "store"),
        ("CALLSPOOL_VAULT_URL", "file:///dev/null/vault", "vault"),
    ],
)
async def test_part_that_cannot_be_opened_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, check: str
) -> None:
    assert (await run_here("tenants", "add", "acme", "--data", str(tmp_path)))[0] == 0
    monkeypatch.setenv(name, value)
    code, out, err = await run_here("doctor", "--json", "--data", str(tmp_path))
    (found,) = [one for one in json.loads(out) if one["level"] == "error" and one["check"] == check]
    assert code == 1, err
    assert found["do"]
