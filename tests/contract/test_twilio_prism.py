"""Our Twilio module and Twilio's SDK before a provider that nobody here wrote: Prism, which serves Twilio's document.

It refuses every question that the document does not allow, and answers with the document's own examples.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from callspool.domain.errors import FetchFailed
from callspool.providers.twilio import Twilio
from tests.fixtures import made
from tests.fixtures.node import install, node
from tests.fixtures.ports import free_port
from tests.fixtures.specification import PATH, Specification

FOLDER = Path(__file__).parent / "prism"
AC, RE, CA = (prefix + "a" * 32 for prefix in ("AC", "RE", "CA"))
BEGIN, END = datetime(2010, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def installed(specification: Specification) -> Path:
    """Prism's program, where both it and the document can be had."""
    assert specification.document["paths"]
    install(FOLDER)
    return FOLDER / "node_modules/@stoplight/prism-cli/dist/index.js"


@pytest.fixture
async def prism(installed: Path) -> AsyncIterator[str]:
    """Its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    process = await asyncio.create_subprocess_exec(
        *(node(), installed, "mock", PATH, "--port", str(port), "--ignoreExamples=false"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert process.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(60):
            while b"is listening on" not in said:
                line = await process.stdout.readline()
                assert line, said.decode()
                said += line
        drained = asyncio.create_task(process.stdout.read())
        yield url
    finally:
        process.terminate()
        await process.wait()
    await drained


async def test_our_module_asks_only_what_the_document_allows_and_reads_its_answers(prism: str) -> None:
    twilio, account = Twilio(), made.account(account_sid=AC, base_url=prism)

    page = await twilio.list(account, BEGIN, END, limit=50)
    one = await twilio.look_up(account, RE)
    call = await twilio.call(account, made.recording(call_id=CA))
    below = await twilio.subaccounts(account)
    await twilio.delete(account, RE)
    await twilio.close()

    assert page.unread == ()
    assert [entry.notice.provider_recording_id[:2] for entry in page.entries] == ["RE"] * len(page.entries) != []
    assert one is not None
    assert one.notice.provider_recording_id == RE
    assert call is not None
    assert call.direction
    assert all(re.fullmatch("AC[0-9a-f]{32}", sub.sid) for sub in below)


async def test_prism_refuses_what_the_document_does_not_allow(prism: str) -> None:
    twilio, account = Twilio(), made.account(account_sid=AC, base_url=prism)
    with pytest.raises(FetchFailed, match="status 4"):
        await twilio.list(account, BEGIN, END, limit=1001)
    await twilio.close()


async def test_the_official_sdk_reads_the_same_answers_as_we_do(prism: str) -> None:
    client = Client(AC, "a-token")
    client.api.base_url = prism
    twilio, account = Twilio(), made.account(account_sid=AC, base_url=prism)

    theirs = await asyncio.to_thread(lambda: list(client.recordings.page(page_size=50)))
    ours = await twilio.list(account, BEGIN, END, limit=50)
    assert [entry.notice.provider_recording_id for entry in ours.entries] == [
        one.sid for one in theirs if one.status != "deleted"
    ]
    assert [entry.created_at for entry in ours.entries] == [
        one.date_created for one in theirs if one.status != "deleted"
    ]

    call, same = await asyncio.gather(
        twilio.call(account, made.recording(call_id=CA)), asyncio.to_thread(client.calls(CA).fetch)
    )
    assert call is not None
    assert call.direction == same.direction
    assert await asyncio.to_thread(client.recordings(RE).delete) is True
    with pytest.raises(TwilioException):
        await asyncio.to_thread(lambda: client.recordings.page(page_size=2000))
    await twilio.close()
