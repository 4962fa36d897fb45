"""Canaries: secrets and numbers sent through the whole system, then sought wherever it writes."""

import asyncio
import json
import os
import re
import secrets
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import valkey.asyncio

from callspool.api.passwords import Passwords
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.recording import State
from callspool.domain.session import User
from callspool.domain.webhook import SECRET_BYTES, Subject, new_endpoint
from tests.acceptance.system import System, system, until
from tests.fixtures.receiver import receiving

ACCOUNT = "AC" + "c" * 32
TOKEN = "canaryauthtoken" + "0" * 17
NEXT_TOKEN = "canarynexttoken" + "0" * 17
PASSWORD = "canary password of anna"
NUMBER = "+15005550006"


@pytest.mark.timeout(300)  # four commands and two servers, on a machine that may be busy
async def test_no_secret_and_no_number_is_anywhere_that_they_are_not_for(tmp_path: Path) -> None:
    with (tmp_path / "errors").open("wb") as errors:
        async with (
            receiving() as receiver,
            system(tmp_path, errors=errors, log_level="debug", log_format="json", webhook_private=True) as running,
        ):
            canaries = await send_canaries(running, receiver.url)

            async def told() -> bool:
                return len(receiver.came) >= 2

            await until(told)
            sinks = {
                "webhooks to others": repr(receiver.came).encode(),
                "the scheduler": await everything_in(running),
                "metrics": await asked(running, "/metrics"),
                "doctor": await said_by(running, "doctor", "--json"),
                "accounts": await said_by(running, "accounts", "list", "--json"),
                "status": await said_by(running, "status", "--json"),
                "audit": await said_by(running, "audit", "list", "--json"),
                **canaries.answers,
            }
    sinks["logs"] = (tmp_path / "errors").read_bytes()
    database = b"".join(file.read_bytes() for file in sorted((tmp_path / "data").glob("callspool.db*")))

    assert all(sinks.values()), {name: len(text) for name, text in sinks.items()}
    assert sinks["logs"].count(b"webhook.received") >= 2
    found = {(name, what) for name, text in sinks.items() for what, form in canaries.forms.items() if form.search(text)}
    assert found == set()
    there = {what for what, form in canaries.forms.items() if form.search(database)}
    assert there - {"number"} == {"caller", "called"}, "of the calls the numbers are kept, and of the rest nothing"


class Canaries:
    """What was sent, as it would be found again, and the answers that were refusals."""

    def __init__(self) -> None:
        self.forms: dict[str, re.Pattern[bytes]] = {}
        self.answers: dict[str, bytes] = {}

    def add(self, what: str, text: str) -> None:
        self.forms[what] = re.compile(re.escape(text.encode()))

    def add_number(self, what: str, number: str) -> None:
        """However its digits are grouped."""
        groups = re.fullmatch(r"\+1(\d{3})(\d{3})(\d{4})", number)
        assert groups is not None
        self.forms[what] = re.compile(".{0,3}".join(groups.groups()).encode())


async def send_canaries(running: System, receiver: str) -> Canaries:
    """Do what people, providers and strangers do, each with something secret of their own."""
    canaries = Canaries()
    canaries.add_number("number", NUMBER)
    for what, text in (("token", TOKEN), ("next token", NEXT_TOKEN), ("password", PASSWORD)):
        canaries.add(what, text)
    store = running.parts.store
    running.simulator.add_account(ACCOUNT, TOKEN)
    main = await store.account(AccountId("main"))
    other = replace(main, id=AccountId("other"), account_sid=ACCOUNT, auth_token=TOKEN, previous_auth_token=NEXT_TOKEN)
    await store.add_account(other)
    await running.parts.producer.set_pool("other", limit=20, paused=False)
    endpoint = new_endpoint(
        None, receiver, list(Subject), now=datetime.now(UTC), randomness=secrets.token_bytes(SECRET_BYTES + 8)
    )
    await store.add_endpoint(endpoint)
    canaries.add("endpoint's secret", endpoint.secret.removeprefix("whsec_"))
    await store.add_user(User("anna", TenantId("acme"), await Passwords().make(PASSWORD), datetime.now(UTC)))
    await running.worker()
    made = running.simulator.add_recording(account_sid=ACCOUNT, tag="acme", duration_s=2.0)
    hook = f"{running.url}/webhooks/twilio/other/acme"
    await running.simulator.announce(made, f"{hook}?From={NUMBER}&auth_token={TOKEN}", events=["completed"])
    await running.reaches(await running.of(made.sid), State.READY)

    async def with_its_call() -> bool:
        return (await running.of(made.sid)).call is not None

    await until(with_its_call)  # asked for beside the download
    call = running.simulator.calls[made.call_sid]
    canaries.add_number("caller", call.caller)
    canaries.add_number("called", call.called)
    gone = await running.call("acme", faults=["410:1"])
    await running.reaches(gone, State.FAILED)
    async with httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=30) as client:
        await as_people_do(running, client, canaries)
        recording = await running.of(made.sid)
        key = {"authorization": f"Bearer {running.key}"}
        link = (await client.post(f"/api/recordings/{recording.id}/playback", headers=key)).json()["url"]
        canaries.add("link", urlsplit(link).query.removeprefix("token="))
        assert (await client.get(urlsplit(link).path + "?" + urlsplit(link).query)).status_code == 200
    canaries.add("key", running.key.rpartition("_")[2])

    return canaries


async def as_people_do(running: System, client: httpx.AsyncClient, canaries: Canaries) -> None:
    """Sign in rightly and wrongly, and make mistakes of every kind with secrets in them."""
    signed_in = await client.post("/api/session", json={"name": "anna", "password": PASSWORD})
    assert signed_in.status_code == 200, signed_in.text
    canaries.add("cookie", signed_in.headers["set-cookie"].split(";")[0].partition("=")[2])
    canaries.add("csrf", signed_in.json()["csrf"])
    client.cookies.clear()
    mistakes = {
        "a wrong signature": client.post(
            "/webhooks/twilio/other/acme",
            content=f"From={NUMBER}&AccountSid={ACCOUNT}",
            headers={"x-twilio-signature": TOKEN, "content-type": "application/x-www-form-urlencoded"},
        ),
        "a wrong password": client.post("/api/session", json={"name": "anna", "password": PASSWORD + TOKEN}),
        "half a sign-in": client.post("/api/session", json={"password": PASSWORD}),
        "no JSON": client.post("/api/session", content=PASSWORD, headers={"content-type": "application/json"}),
        "a wrong link": client.get(f"/api/recordings/rec_{'0' * 32}/audio?token={TOKEN}"),
        "a wrong key": client.get("/api/recordings", headers={"authorization": f"Bearer {TOKEN}"}),
        "a wrong cookie": client.get("/api/recordings", headers={"cookie": f"callspool={TOKEN}"}),
        "a wrong address": client.get(f"/api/{NUMBER}/{TOKEN}"),
    }
    for name, asking in mistakes.items():
        answer = await asking
        assert 400 <= answer.status_code < 500, f"{name}: {answer.status_code}"
        canaries.answers[name] = answer.content


async def everything_in(running: System) -> bytes:
    """All that the scheduler's server holds, as text."""
    client = valkey.asyncio.Valkey.from_url(running.valkey.url)
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
        b"none": client.get,  # it ended since it was listed
    }
    try:
        return b"\n".join(
            [key + repr(await readers[await client.type(key)](key)).encode() async for key in client.scan_iter()]
        )
    finally:
        await client.aclose()


async def asked(running: System, path: str) -> bytes:
    async with httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=30) as client:
        return (await client.get(path)).content


async def said_by(running: System, *command: str) -> bytes:
    """What a command prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callspool.cli", *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **running.parts.settings.as_environment()},
    )
    said, _ = await process.communicate()
    assert json.loads(said.splitlines()[-1]) if said.startswith((b"{", b"[")) else said
    return said
