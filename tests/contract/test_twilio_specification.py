"""What we ask Twilio, and what the simulator answers, held against Twilio's own description of its API."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from callspool.providers.twilio import TWILIO, Twilio
from callspool.providers.twilio_list import read_page
from callspool.simulator import Simulator
from callspool.simulator.world import PublicKey
from tests.fixtures import made
from tests.fixtures.providers import Provided, account_of
from tests.fixtures.simulator import basic
from tests.fixtures.specification import Specification, enum_of

PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
CONFERENCE = "CF" + "a" * 32
DAY = timedelta(days=1)


@pytest.fixture
async def provided(simulator: Simulator) -> AsyncIterator[Provided]:
    theirs = simulator.add_account()
    twilio = Twilio()
    yield Provided("twilio", twilio, account_of(simulator, theirs), simulator, theirs)
    await twilio.close()


async def test_each_question_of_ours_is_one_that_twilio_declares(
    provided: Provided, specification: Specification
) -> None:
    now = datetime.now(UTC)
    three = [provided.make(duration_s=1.0) for _ in range(3)]
    twilio = provided.provider
    assert isinstance(twilio, Twilio)

    page = await twilio.list(provided.account, now - DAY, now + DAY, limit=2)
    assert page.next_cursor is not None
    await twilio.list(provided.account, now - DAY, now + DAY, cursor=page.next_cursor, limit=2)
    await twilio.look_up(provided.account, three[0].sid)
    await twilio.call(provided.account, provided.ours(three[0]))
    await twilio.subaccounts(provided.account)
    await twilio.delete(provided.account, three[0].sid)

    asked = [specification.check_request(one.method, one.path) for one in provided.simulator.log.entries]
    assert [operation.declared["operationId"] for operation in asked] == [
        *("ListRecording", "ListRecording", "FetchRecording", "FetchCall", "ListAccount", "DeleteRecording"),
    ]


async def test_what_twilio_does_not_declare_would_be_seen(specification: Specification) -> None:
    account = "/2010-04-01/Accounts/AC" + "1" * 32
    for method, target in (
        ("GET", f"{account}/Recordings.json?Status=completed"),
        ("GET", f"{account}/Recordings.json?PageSize=1001"),
        ("GET", f"{account}/Recordings.json?DateCreated%3E=yesterday"),
        ("GET", f"{account}/Recordings/RE1.json"),
        ("PUT", f"{account}/Recordings.json"),
        ("GET", f"{account}/Recording.json"),
    ):
        with pytest.raises(AssertionError):
            specification.check_request(method, target)


@pytest.mark.parametrize("status", enum_of("recording_enum_status"))
async def test_each_answer_of_the_simulator_is_as_twilio_declares(
    provided: Provided, specification: Specification, status: str
) -> None:
    theirs, simulator = provided.theirs, provided.simulator
    one = provided.make(
        duration_s=61.0,
        status="absent" if status == "absent" else "completed",
        error_code=16101 if status == "absent" else None,
        conference_sid=CONFERENCE,
        source="Conference",
        public_key=None if status == "absent" else PublicKey("CR" + "a" * 32, PEM),
    )
    provided.make(duration_s=3.0)
    simulator.set_status(one, status)
    simulator.add_account(parent=theirs.sid)
    root = f"/2010-04-01/Accounts/{theirs.sid}"
    soft = "?IncludeSoftDeleted=true"
    also = "" if status != "deleted" else soft
    targets = [
        *("/2010-04-01/Accounts.json?PageSize=1", f"{root}.json", f"{root}/Calls.json"),
        *(f"{root}/Calls/{one.call_sid}.json", f"{root}/Recordings.json?PageSize=1", f"{root}/Recordings.json{soft}"),
        *(f"{root}/Recordings/{one.sid}.json{also}", f"{root}/Conferences/{CONFERENCE}/Recordings.json"),
        f"{root}/Calls/{one.call_sid}/Recordings.json",
    ]
    if status != "deleted":
        targets.append(f"{root}/Conferences/{CONFERENCE}/Recordings/{one.sid}.json")
        targets.append(f"{root}/Calls/{one.call_sid}/Recordings/{one.sid}.json")
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(theirs)) as client:
        for target in targets:
            got = await client.get(target)
            assert got.status_code == 200, target
            specification.check_answer("GET", target, 200, got.json())


async def test_twilios_own_examples_are_read(specification: Specification) -> None:
    declared = specification.operation("GET", f"/2010-04-01/Accounts/AC{'a' * 32}/Recordings.json").declared
    examples: dict[str, Any] = declared["responses"]["200"]["content"]["application/json"]["examples"]
    begin = datetime(2000, 1, 1, tzinfo=UTC)
    account = made.account(account_sid="AC" + "a" * 32)
    read = 0
    for example in examples.values():
        page = read_page(TWILIO, account, example["value"], begin, datetime(2100, 1, 1, tzinfo=UTC))
        assert page.unread == ()
        assert len(page.entries) == sum(item["status"] != "deleted" for item in example["value"]["recordings"])
        read += len(page.entries)
    assert read > 0
