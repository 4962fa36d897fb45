"""The simulator as a process of its own, driven over HTTP as the demo and the chaos runs do."""

import asyncio
import hashlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from twilio.request_validator import RequestValidator

from callspool.simulator import Entry, highest_concurrency
from tests.fixtures.simulator import Receiver, wait_until

ACCOUNT = "AC" + "a" * 32


class Process:
    """A running simulator and a client that is signed in."""

    def __init__(self, child: asyncio.subprocess.Process, ready: dict[str, str], client: httpx.AsyncClient) -> None:
        self.child = child
        self.ready = ready
        self.client = client

    async def post(self, path: str, **values: Any) -> httpx.Response:
        return await self.client.post(f"/_simulator/{path}", json=values)

    async def get(self, path: str) -> Any:
        return (await self.client.get(f"/_simulator/{path}")).raise_for_status().json()


@pytest.fixture
async def process() -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callspool.simulator", "--port", "0", "--seed", "3", "--json", "--end-with-stdin"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    ready = json.loads(await child.stdout.readline())
    async with httpx.AsyncClient(base_url=ready["url"], auth=(ACCOUNT, "token")) as client:
        running = Process(child, ready, client)
        await running.post("accounts", account_sid=ACCOUNT, auth_token="token", limit=4)
        yield running
    if child.returncode is None:
        child.kill()
    await child.wait()


async def test_recording_is_made_announced_downloaded_and_logged(process: Process, receiver: Receiver) -> None:
    made = await process.post(
        "recordings",
        account_sid=ACCOUNT,
        tag="acme",
        duration_s=4,
        channels=2,
        faults=["503"],
        callback_faults=["duplicate"],
        callback_url=receiver.url + "/hook",
        public_url_to_sign="https://calls.example.com/hook",
        events=["in-progress", "completed"],
    )
    assert made.status_code == 201
    recording = made.json()
    await wait_until(lambda: len(receiver.posted) == 4)
    for posted in receiver.posted:
        assert RequestValidator("token").validate(
            "https://calls.example.com/hook", posted.form, posted.headers["x-twilio-signature"]
        )
    path = f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/{recording['sid']}.wav?RequestedChannels=2"
    assert (await process.client.get(path)).status_code == 503
    audio = (await process.client.get(path)).raise_for_status().content

    shown = await process.get(f"recordings/{recording['sid']}.json")
    assert shown["sha256"] == hashlib.sha256(audio).hexdigest()
    assert (shown["tag"], shown["faults"], recording["sha256"]) == ("acme", ["503:1:-"], None)
    assert [item["sha256"] for item in await process.get("recordings.json?sha256=1")] == [shown["sha256"]]

    entries = [Entry.from_json(values) for values in await process.get("log.json")]
    assert highest_concurrency(entries, "tag") == {"acme": 1}
    since = await process.get(f"log.json?since={entries[-1].number}")
    assert since[0]["number"] == entries[-1].number
    summary = await process.get("summary.json")
    assert summary["highest_by_tag"] == {"acme": 1}
    assert summary["highest_by_account"] == {ACCOUNT: 1}
    assert summary["whole_downloads"] == {recording["sid"]: 1}
    assert summary["downloads"] == {recording["sid"]: 2}
    callbacks = await process.get("callbacks.json")
    assert [item["status"] for item in callbacks] == [204] * 4


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"account_sid": "AC" + "b" * 32},
        {"account_sid": ACCOUNT, "channels": 3},
        {"account_sid": ACCOUNT, "duration_s": "long"},
        {"account_sid": ACCOUNT, "faults": ["unheard-of"]},
        {"account_sid": ACCOUNT, "status": "lost"},
        {"account_sid": ACCOUNT, "flavour": 1},
    ],
)
async def test_recording_that_makes_no_sense_is_refused_with_a_sentence(
    process: Process, values: dict[str, Any]
) -> None:
    refused = await process.post("recordings", **values)
    assert (refused.status_code, bool(refused.json()["message"])) == (400, True)
    assert await process.get("recordings.json") == []


async def test_it_ends_cleanly_when_told_and_when_its_starter_is_gone(process: Process) -> None:
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callspool.simulator"), stdout=asyncio.subprocess.PIPE
    )
    assert second.stdout is not None
    assert (await second.stdout.readline()).startswith(b"http://127.0.0.1:")
    second.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(second.wait(), 10) == 0
    assert process.child.stdin is not None
    process.child.stdin.close()
    assert await asyncio.wait_for(process.child.wait(), 10) == 0


async def test_wrong_options_are_refused_with_a_sentence() -> None:
    for options in (["--fault", "418=0.1"], ["--fault", "reset"], ["--callback-fault", "lost=2"]):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "callspool.simulator", *options), stderr=asyncio.subprocess.PIPE
        )
        _, said = await child.communicate()
        assert child.returncode == 2
        assert said.strip().splitlines()[-1].startswith(b"python -m callspool.simulator: error: ")
