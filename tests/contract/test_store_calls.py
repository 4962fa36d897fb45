"""What every store must keep of the call that a recording is of, and how it is found by a phone number."""

import pytest

from callspool.domain.ids import phone_number
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.ports.store import Store
from callspool.domain.recording import Call
from tests.contract.test_store import fetching, notice, queued
from tests.fixtures.databases import ACME, OTHER
from tests.fixtures.made import RE

CALL = Call("+15550100", "+15550199", "inbound")


async def test_a_call_is_noted_beside_the_state_and_leaves_history_and_version_alone(store: Store) -> None:
    row = await fetching(store)
    before = await store.history(None, row.id)

    await store.describe(row.id, CALL)

    noted = await store.get(None, row.id)
    assert (noted.call, noted.state, noted.version, noted.attempt) == (CALL, row.state, row.version, row.attempt)
    assert await store.history(None, row.id) == before


async def test_what_is_not_told_again_is_kept(store: Store) -> None:
    row = await queued(store, call=CALL)

    await store.describe(row.id, Call(None, "client:anna", None))

    assert (await store.get(None, row.id)).call == Call("+15550100", "client:anna", "inbound")


@pytest.mark.parametrize("asked", ["+15550100", "+1 555-0100", "+1 (555) 0100", "+15550199"])
@pytest.mark.rule("I9")
async def test_recordings_are_found_by_either_number_and_by_their_own_tenant_alone(store: Store, asked: str) -> None:
    ours = await queued(store, call=CALL)
    theirs = await queued(store, tenant_id=OTHER, provider_recording_id=RE[:-1] + "f", call=CALL)
    await queued(store, provider_recording_id=RE[:-1] + "e", call=Call("+15550101", "+15550198", None))

    async def found(tenant: object) -> set[str]:
        page = await store.list(RecordingFilter(tenant_id=tenant, search=asked), cursor=None, limit=10)  # type: ignore[arg-type]
        return {one.id for one in page.recordings}

    assert await found(ACME) == {ours.id}
    assert await found(OTHER) == {theirs.id}
    assert await found(None) == {ours.id, theirs.id}


async def test_text_that_no_engine_can_hold_is_cleaned(store: Store) -> None:
    recorded = await store.record(notice(call=Call("sip:\0a", None, None)), actor="webhook")

    assert recorded.recording.call == Call("sip:\ufffda", None, None)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+1 (555) 010-0199", "+15550100199"),
        ("555.0199", "5550199"),
        ("client:anna", None),
        ("+", None),
        ("12", None),
        ("+1234567890123456", None),
        ("１２３４", None),
    ],
)
def test_a_phone_number_has_one_form(text: str, number: str | None) -> None:
    assert phone_number(text) == number
