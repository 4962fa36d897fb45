"""Telnyx through all of it: a webhook, a worker, an address that was not kept, the vault, the numbers of the call."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from callspool.domain.ids import AccountId
from callspool.domain.recording import State
from tests.acceptance.system import system, until
from tests.fixtures.providers import account_of


@pytest.mark.rule("I2", "I3")
async def test_a_job_that_waited_longer_than_its_address_held_is_fetched_whole(tmp_path: Path) -> None:
    async with system(tmp_path, retry_scale=0.2) as one:
        theirs = one.simulator.add_account(provider="telnyx")
        await one.parts.store.add_account(account_of(one.simulator, theirs, id=AccountId("tel")))
        await one.parts.producer.set_pool("tel", limit=20, paused=False)  # else that waits for the reconciler, a minute
        theirs.url_lifetime_s = -1.0  # what the webhook tells has expired before it is read
        recording = one.simulator.add_recording(
            account_sid=theirs.sid, tag="acme", duration_s=2.0, faults=["reset:0.5"]
        )
        url = f"{one.url}/webhooks/telnyx/tel"
        for event in ("in-progress", "completed", "completed"):
            (delivery,) = await one.simulator.announce(recording, url, events=[event])
            assert delivery.status == 204, delivery
        queued = await one.of(recording.sid)
        assert queued.state is State.QUEUED
        worker = await one.worker()

        async def refused() -> bool:
            return (await one.parts.store.get(None, queued.id)).tries > 0

        await until(refused)
        assert (await one.parts.store.get(None, queued.id)).state is not State.FAILED
        theirs.url_lifetime_s = 600.0

        ready = await one.reaches(queued, State.READY)

        assert ready.kept is not None
        assert ready.kept.sha256 == await one.simulator.sha256(recording)
        assert ready.kept.verified
        call = one.simulator.calls[recording.call_sid]
        assert ready.call is not None
        assert (ready.call.from_number, ready.call.to_number) == (call.caller, call.called)
        forged = replace(theirs, sid="another")
        one.simulator.accounts[theirs.sid].sid = forged.sid
        (delivery,) = await one.simulator.announce(recording, url, events=["completed"])
        assert delivery.status == 403
        await asyncio.wait_for(worker.end(), 30)
