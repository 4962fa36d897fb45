"""Tenants found by phone number: by the real store and scheduler's port, and a simulated provider."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from callspool.domain.errors import NotFound
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.job import Job
from callspool.domain.ports import RecordingFilter, Store
from callspool.domain.recording import Call, Recording, State
from callspool.domain.tenant import Account, Number, Tenant
from callspool.providers.twilio import Twilio
from callspool.reconcile.numbers import NumberRouter
from callspool.simulator import Simulator
from tests.contract.test_store import notice
from tests.fixtures.databases import ACME, OTHER
from tests.fixtures.made import RE, account
from tests.fixtures.memory import Rings
from tests.fixtures.providers import account_of

ASIDE = TenantId("aside")
SHARED = AccountId("shared")
OURS, THEIRS, NOBODYS = "+15550001", "+15550002", "+15550009"


class Jobs:
    """What was told to the scheduler."""

    def __init__(self) -> None:
        self.submitted: list[Job] = []

    async def cancel(self, job_id: str) -> None:
        self.submitted = [job for job in self.submitted if job.id != job_id]

    async def submit(self, job: Job) -> None:
        self.submitted.append(job)


@pytest.fixture
async def shared(store: Store) -> Account:
    """An account that serves many; two tenants have a number."""
    await store.add_tenant(Tenant(ASIDE, "Unknown numbers", paused=True))
    one = account(id=SHARED, default_tenant=ASIDE, by_number=True)
    await store.add_account(one)
    await store.set_number(Number(OURS, ACME))
    await store.set_number(Number(THEIRS, OTHER))
    return one


async def come_in(store: Store, call: Call | None) -> Recording:
    return (await store.record(notice(account_id=SHARED, tenant_id=ASIDE, call=call), actor="webhook")).recording


@pytest.mark.rule("I9")
@pytest.mark.parametrize(
    ("call", "owner"),
    [
        (Call(NOBODYS, OURS, "inbound"), ACME),
        (Call(OURS, NOBODYS, "outbound-api"), ACME),
        (Call(THEIRS, OURS, "inbound"), ACME),
        (Call(THEIRS, OURS, "outbound-dial"), OTHER),
        (Call(THEIRS, NOBODYS, None), OTHER),
        (Call(NOBODYS, THEIRS, "trunking-terminating"), OTHER),
        (Call(THEIRS, OURS, None), None),
        (Call(OURS, NOBODYS, "inbound"), None),
        (Call(NOBODYS, "client:anna", "inbound"), None),
        (None, None),
    ],
)
async def test_numbers_say_whose_it_is_or_nobody_does(
    store: Store, shared: Account, call: Call | None, owner: TenantId | None
) -> None:
    recording = await come_in(store, call)

    found = await store.assignable(shared, limit=10)

    assert [(one.id, tenant) for one, tenant in found] == ([(recording.id, owner)] if owner else [])


async def test_an_assigned_recording_is_its_tenants_and_counted_there(store: Store, shared: Account) -> None:
    recording = await come_in(store, Call(NOBODYS, OURS, "inbound"))

    assigned = await store.assign(recording, ACME)

    assert assigned is not None
    assert (assigned.tenant_id, assigned.state) == (ACME, State.QUEUED)
    assert await store.assign(recording, OTHER) is None, "it is not there any more"
    assert [(one.tenant_id, one.count) for one in await store.count(None) if one.count] == [(ACME, 1)]
    assert await store.history(ACME, recording.id)
    with pytest.raises(NotFound):
        await store.get(ASIDE, recording.id)


async def test_what_is_being_fetched_stays_where_it_is(store: Store, shared: Account) -> None:
    recording = await come_in(store, Call(NOBODYS, OURS, "inbound"))
    await store.claim(recording.id, actor="worker:1")

    assert await store.assign(recording, ACME) is None


async def test_a_number_is_one_tenants_at_a_time(store: Store, shared: Account) -> None:
    await store.set_number(Number(OURS, OTHER))
    assert await store.numbers() == [Number(OURS, OTHER), Number(THEIRS, OTHER)]
    await store.remove_number(OURS)
    assert await store.numbers() == [Number(THEIRS, OTHER)]
    with pytest.raises(NotFound):
        await store.remove_number(OURS)
    with pytest.raises(NotFound):
        await store.set_number(Number(OURS, TenantId("nobody")))


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    twilio = Twilio()
    yield twilio
    await twilio.close()


@pytest.mark.rule("I2")
async def test_a_recording_finds_its_tenant_once_its_number_is_known_and_waits_until_then(
    store: Store, shared: Account, simulator: Simulator, twilio: Twilio
) -> None:
    theirs = simulator.add_account()
    one = account_of(simulator, theirs, id=SHARED, default_tenant=ASIDE, by_number=True)
    await store.set_account(one)
    made = simulator.add_recording(account_sid=theirs.sid)
    call = simulator.calls[made.call_sid]
    told = notice(account_id=SHARED, tenant_id=ASIDE, provider_recording_id=made.sid, call_id=made.call_sid)
    recording = (await store.record(told, actor="webhook")).recording
    hidden = (await store.record(replace(told, provider_recording_id=RE), actor="webhook")).recording
    jobs = Jobs()
    router = NumberRouter(store=store, producer=jobs, bulletin=Rings(), providers={"twilio": twilio})  # type: ignore[arg-type]

    await router.step(one)
    aside = await store.list(RecordingFilter(tenant_id=ASIDE), cursor=None, limit=10)
    assert {row.id for row in aside.recordings} == {recording.id, hidden.id}
    assert all(row.call and row.call.from_number == call.caller for row in aside.recordings)
    assert jobs.submitted == []

    await store.set_number(Number(call.called if call.direction == "inbound" else call.caller, ACME))
    await router.step(one)

    assert (await store.get(ACME, recording.id)).state is State.QUEUED
    assert {job.tenant for job in jobs.submitted} == {ACME}
    asked = [entry for entry in simulator.log.entries if "/Calls/" in entry.path]
    assert len(asked) == 2, "each call is asked for once"
