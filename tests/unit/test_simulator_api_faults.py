"""What the provider's API, beside media, can meet: statuses for lists, metadata, calls and deletes."""

import email.utils
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from callspool.simulator import Account, Simulator
from tests.fixtures.simulator import basic


def path(account: Account, rest: str) -> str:
    """Return an address of the account."""
    return f"/2010-04-01/Accounts/{account.sid}/{rest}.json"


@pytest.mark.parametrize(
    ("asked", "method", "rest", "well"),
    [
        ("list", "GET", "Recordings", 200),
        ("metadata", "GET", "Recordings/{sid}", 200),
        ("calls", "GET", "Calls", 200),
        ("calls", "GET", "Calls/{call}", 200),
        ("delete", "DELETE", "Recordings/{sid}", 204),
    ],
)
async def test_each_request_meets_its_faults_as_often_as_they_say(
    simulator: Simulator, asked: str, method: str, rest: str, well: int
) -> None:
    account = simulator.add_account()
    made = simulator.add_recording(account_sid=account.sid)
    account.fail(asked, "429:3:2", "503")
    where = path(account, rest.format(sid=made.sid, call=made.call_sid))
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        answers = [await client.request(method, where) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 429, 503, well]
    assert [answer.headers.get("retry-after") for answer in answers] == ["3", "3", None, None]
    assert answers[0].http_version == "HTTP/1.1"
    assert answers[0].reason_phrase == "Too Many Requests"


async def test_fault_of_one_kind_leaves_the_others_alone(simulator: Simulator) -> None:
    account = simulator.add_account()
    account.fail("list", "503:always")
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        statuses = [(await client.get(path(account, rest))).status_code for rest in ("Recordings", "Calls") * 2]
    assert statuses == [503, 200, 503, 200]


async def test_date_of_retry_after_is_a_date(simulator: Simulator) -> None:
    account = simulator.add_account()
    simulator.fail_lists(account, "429:date5")
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        answer = await client.get(path(account, "Recordings"))
    ahead = email.utils.parsedate_to_datetime(answer.headers["retry-after"]) - datetime.now(UTC)
    assert 0 < ahead.total_seconds() <= 6


@pytest.mark.parametrize("fault", ["404:3", "reset", "html", "stall", "redirect"])
async def test_what_only_media_can_meet_is_refused(simulator: Simulator, fault: str) -> None:
    with pytest.raises(ValueError, match="only media has it"):
        simulator.fail_lists(simulator.add_account(), fault)


async def test_faults_can_be_set_from_outside(simulator: Simulator) -> None:
    async with httpx.AsyncClient(base_url=simulator.url) as client:
        given: dict[str, Any] = {"account_sid": "AC" + "1" * 32, "auth_token": "t", "faults": {"metadata": ["503:2"]}}
        made = await client.post("/_simulator/accounts", json=given)
        assert (made.status_code, made.json()["api_faults"]) == (201, {"metadata": ["503:2:-"]})
        for wrong in ({"nothing": ["503"]}, {"list": ["html"]}):
            refused = await client.post("/_simulator/accounts", json={**given, "faults": wrong})
            assert refused.status_code == 400
        sid = simulator.add_recording(account_sid=given["account_sid"]).sid
        where = f"/2010-04-01/Accounts/{given['account_sid']}/Recordings/{sid}.json"
        statuses = [(await client.get(where, auth=(given["account_sid"], "t"))).status_code for _ in range(3)]
    assert statuses == [503, 503, 200]


async def test_deleting_the_last_recording_of_a_page_leaves_the_next_page_where_it_is(simulator: Simulator) -> None:
    account = simulator.add_account()
    made = [simulator.add_recording(account_sid=account.sid).sid for _ in range(5)]
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        first = (await client.get(path(account, "Recordings") + "?PageSize=2")).json()
        last = first["recordings"][-1]["sid"]
        assert (await client.delete(path(account, f"Recordings/{last}"))).status_code == 204
        second = await client.get(first["next_page_uri"])
        third = await client.get(second.json()["next_page_uri"])
    assert second.status_code == 200
    rest = [one["sid"] for page in (second, third) for one in page.json()["recordings"]]
    assert rest == [made[2], made[1], made[0]]


async def test_telnyx_meets_them_too(simulator: Simulator) -> None:
    account = simulator.add_account(provider="telnyx")
    made = simulator.add_recording(account_sid=account.sid)
    account.fail("delete", "503")
    account.fail("metadata", "429:date2")
    headers = {"authorization": f"Bearer {account.auth_token}"}
    async with httpx.AsyncClient(base_url=simulator.url, headers=headers) as client:
        where = f"/v2/recordings/{made.sid}"
        asked = [await client.request(method, where) for method in ("GET", "GET", "DELETE", "DELETE")]
    assert [answer.status_code for answer in asked] == [429, 200, 503, 200]
    assert email.utils.parsedate_to_datetime(asked[0].headers["retry-after"])
