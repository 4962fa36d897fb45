"""What every provider's list must keep: windows, pages, statuses, and what happens while it is read."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callspool.domain.errors import FetchFailed
from callspool.domain.ports.provider import Listed, ProviderStatus
from callspool.domain.reasons import Reason
from callspool.domain.recording import Call
from callspool.providers.twilio import Twilio
from tests.fixtures import made
from tests.fixtures.made import AC, CA, RE
from tests.fixtures.providers import Provided
from tests.fixtures.wire import Asked, Reply, serve

DAY = datetime(2026, 11, 20, tzinfo=UTC)
NEXT = DAY + timedelta(days=1)


async def every(provided: Provided, since: datetime = DAY, until: datetime = NEXT, limit: int = 1000) -> list[Listed]:
    """Read every page."""
    found: list[Listed] = []
    cursor = None
    while True:
        page = await provided.provider.list(provided.account, since, until, cursor=cursor, limit=limit)
        assert len(page.entries) <= limit
        found += page.entries
        cursor = page.next_cursor
        if cursor is None:
            return found


async def ids(provided: Provided, since: datetime = DAY, until: datetime = NEXT, limit: int = 1000) -> list[str]:
    """Read every page's ids."""
    return sorted(one.notice.provider_recording_id for one in await every(provided, since, until, limit))


async def test_a_list_has_what_was_made_in_its_window_and_nothing_else(provided: Provided) -> None:
    provided.make(DAY - timedelta(seconds=1))
    begin, noon = provided.make(DAY), provided.make(DAY + timedelta(hours=12))
    provided.make(NEXT)
    other = provided.simulator.add_account(provider=provided.name)
    provided.simulator.add_recording(account_sid=other.sid, created_at=DAY)

    assert await ids(provided) == sorted([begin.sid, noon.sid])
    assert await ids(provided, DAY + timedelta(hours=11), DAY + timedelta(hours=12, seconds=1)) == [noon.sid]


async def test_pages_together_have_each_recording_once(provided: Provided) -> None:
    sids = [provided.make(DAY + timedelta(minutes=n)).sid for n in range(7)]

    assert await ids(provided, limit=2) == sorted(sids)


async def test_what_is_made_and_deleted_between_two_pages_shifts_nothing(provided: Provided) -> None:
    made_before = [provided.make(DAY + timedelta(minutes=n)) for n in range(6)]
    first = await provided.provider.list(provided.account, DAY, NEXT, limit=2)
    seen = {one.notice.provider_recording_id for one in first.entries}
    provided.make(DAY + timedelta(minutes=7))
    gone = next(one for one in made_before if one.sid not in seen)
    provided.simulator.set_status(gone, "deleted")

    cursor = first.next_cursor
    while cursor is not None:
        page = await provided.provider.list(provided.account, DAY, NEXT, cursor=cursor, limit=2)
        seen |= {one.notice.provider_recording_id for one in page.entries}
        cursor = page.next_cursor

    assert {one.sid for one in made_before} - {gone.sid} <= seen
    assert gone.sid not in seen


async def test_what_was_seen_and_is_deleted_then_hides_nothing(provided: Provided) -> None:
    made_before = [provided.make(DAY + timedelta(minutes=n)) for n in range(6)]
    page = await provided.provider.list(provided.account, DAY, NEXT, limit=2)
    seen = {one.notice.provider_recording_id for one in page.entries}
    # Twilio's own page names the item that it ends with; the first of the page is another.
    provided.simulator.set_status(next(one for one in reversed(made_before) if one.sid in seen), "deleted")

    while page.next_cursor is not None:
        page = await provided.provider.list(provided.account, DAY, NEXT, cursor=page.next_cursor, limit=2)
        seen |= {one.notice.provider_recording_id for one in page.entries}

    assert seen == {one.sid for one in made_before}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("in-progress", ProviderStatus.IN_PROGRESS),
        ("paused", ProviderStatus.IN_PROGRESS),
        ("processing", ProviderStatus.IN_PROGRESS),
        ("completed", ProviderStatus.COMPLETED),
        ("absent", ProviderStatus.ABSENT),
    ],
)
async def test_an_entry_says_what_a_webhook_would_have_said(
    provided: Provided, status: str, expected: ProviderStatus
) -> None:
    recording = provided.make(DAY, status=status, duration_s=61.0, channels=1)

    if provided.name == "telnyx" and status != "completed":
        assert await every(provided) == []  # it lists what is whole
        return
    (listed,) = await every(provided)

    assert (listed.notice.provider_recording_id, listed.notice.status) == (recording.sid, expected)
    assert (listed.notice.account_id, listed.notice.tenant_id) == ("main", "acme")
    assert listed.notice.call_id == recording.call_sid
    assert listed.notice.channels == 1
    assert listed.notice.duration_s == (61.0 if status == "completed" else None)
    assert listed.created_at == DAY
    assert await provided.provider.look_up(provided.account, recording.sid) == listed


async def test_what_is_deleted_is_neither_listed_nor_found(provided: Provided) -> None:
    recording = provided.make(DAY)
    provided.simulator.set_status(recording, "deleted")

    assert await ids(provided) == []
    assert await provided.provider.look_up(provided.account, recording.sid) is None


async def test_wrong_credentials_are_told_from_an_empty_list(provided: Provided) -> None:
    wrong = replace(provided.account, auth_token="wrong")
    with pytest.raises(FetchFailed) as failure:
        await provided.provider.list(wrong, DAY, NEXT)
    assert failure.value.reason is Reason.UNAUTHORIZED
    with pytest.raises(FetchFailed) as failure:
        await provided.provider.look_up(wrong, provided.make(DAY).sid)
    assert failure.value.reason is Reason.UNAUTHORIZED


async def test_the_call_of_a_recording_is_told(provided: Provided) -> None:
    recording = provided.make(DAY)
    call = provided.simulator.calls[recording.call_sid]
    direction = None if provided.name == "telnyx" else call.direction  # it does not say

    told = await provided.provider.call(provided.account, provided.ours(recording))

    assert told == Call(call.caller, call.called, direction)
    provided.simulator.set_status(recording, "deleted")
    other = provided.ours(recording, call_id=recording.sid if provided.name == "signalwire" else CA)
    assert await provided.provider.call(provided.account, other) is None


# --- Twilio alone: answers that no simulator gives -----------------------------------------------------


def entry(**changes: Any) -> dict[str, Any]:
    given = {
        "sid": RE,
        "account_sid": AC,
        "call_sid": CA,
        "status": "completed",
        "date_created": "Fri, 20 Nov 2026 10:00:00 +0000",
        "duration": "12",
        "channels": 2,
        "error_code": 16101,
        "source": "Trunking",
    }
    return {**given, **changes}


async def listed(status: str, document: object, **headers: str) -> Any:
    """Return what Twilio's module makes of an answer, and what it asked."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()

    async def answer(asked: Asked, reply: Reply) -> None:
        await reply.whole(status, body, **headers)

    twilio = Twilio(stall_timeout=timedelta(seconds=5))
    async with serve(answer) as wire:
        try:
            page = await twilio.list(made.account(base_url=wire.url), DAY, NEXT, limit=50)
        finally:
            await twilio.close()
    return page, wire.asked


async def test_whole_days_are_asked_for_because_seconds_are_not_documented() -> None:
    page, asked = await listed("200 OK", {"recordings": [entry()], "next_page_uri": None})

    path, _, query = asked[0].target.partition("?")
    assert path == f"/2010-04-01/Accounts/{AC}/Recordings.json"
    assert query == "DateCreated%3E=2026-11-20T00%3A00%3A00Z&DateCreated%3C=2026-11-21T00%3A00%3A00Z&PageSize=50"
    (one,) = page.entries
    assert one.notice.source == "Trunking"
    assert one.notice.error.startswith("16101")


@pytest.mark.parametrize(
    "changes",
    [
        {"sid": "../" + RE},
        {"status": "something-new"},
        {"date_created": "soon"},
        {"account_sid": "AC" + "f" * 32},
        {"call_sid": "7"},
        {"encryption_details": {"encryption_public_key_sid": "CR1"}},
    ],
)
async def test_an_entry_of_a_form_that_is_not_known_is_named(changes: dict[str, Any]) -> None:
    page, _ = await listed("200 OK", {"recordings": [entry(**changes)], "next_page_uri": None})

    assert page.entries == ()
    assert page.unread == (changes.get("sid", RE),)


@pytest.mark.parametrize("uri", ["http://other.example/x?Page=1", "//other.example/?Page=1", "/elsewhere?Page=1"])
async def test_of_the_next_page_only_the_query_is_taken(uri: str) -> None:
    page, _ = await listed("200 OK", {"recordings": [], "next_page_uri": uri})

    assert page.next_cursor == "Page=1"


@pytest.mark.parametrize(
    ("status", "document", "reason"),
    [
        ("200 OK", b"<html>", Reason.PROVIDER_ERROR),
        ("200 OK", [], Reason.PROVIDER_ERROR),
        ("200 OK", {}, Reason.PROVIDER_ERROR),
        ("200 OK", {"recordings": [7], "next_page_uri": None}, Reason.PROVIDER_ERROR),
        ("200 OK", {"recordings": [], "next_page_uri": "/x?Page=1\r\nEvil: 1"}, Reason.PROVIDER_ERROR),
        ("429 Too Many", {"code": 20429}, Reason.THROTTLED),
        ("503 Away", {}, Reason.PROVIDER_ERROR),
    ],
)
async def test_an_answer_that_is_no_page_is_a_failure_and_never_an_empty_list(
    status: str, document: object, reason: Reason
) -> None:
    with pytest.raises(FetchFailed) as failure:
        await listed(status, document, retry_after="7")
    assert failure.value.reason is reason
    if reason is Reason.THROTTLED:
        assert failure.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("fault", "reason", "retry_after"),
    [("429:7", Reason.THROTTLED, timedelta(seconds=7)), ("503", Reason.PROVIDER_ERROR, None)],
)
async def test_a_page_that_fails_can_be_asked_for_again(
    provided: Provided, fault: str, reason: Reason, retry_after: timedelta | None
) -> None:
    sids = [provided.make(DAY + timedelta(minutes=n)).sid for n in range(3)]
    first = await provided.provider.list(provided.account, DAY, NEXT, limit=2)
    provided.simulator.fail_lists(provided.theirs, fault)

    with pytest.raises(FetchFailed) as failure:
        await provided.provider.list(provided.account, DAY, NEXT, cursor=first.next_cursor, limit=2)
    second = await provided.provider.list(provided.account, DAY, NEXT, cursor=first.next_cursor, limit=2)

    assert (failure.value.reason, failure.value.retry_after) == (reason, retry_after)
    assert {one.notice.provider_recording_id for one in (*first.entries, *second.entries)} == set(sids)


async def test_a_refused_cursor_is_a_failure(provided: Provided) -> None:
    for n in range(3):
        provided.make(DAY + timedelta(minutes=n))
    with pytest.raises(FetchFailed):
        await provided.provider.list(provided.account, DAY, NEXT, cursor="PageToken=PAnone", limit=1)
