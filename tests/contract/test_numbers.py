"""Tenants found by phone number: by the real store and scheduler's port, and a simulated provider."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from callspool.domain.errors import NotFound
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.job import Job
from callspool.domain.ports.provider import Provider
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.ports.store import Store
from callspool.domain.recording import Call, Recording, State
from callspool.domain.tenant import Account, Number, Tenant
from callspool.providers.twilio import Twilio
from callspool.reconcile.numbers import BATCH, NumberRouter
from callspool.simulator import Entry, Simulator
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


def route(store: Store, jobs: Jobs, provider: Provider, pause: timedelta = timedelta()) -> NumberRouter:
    return NumberRouter(store=store, producer=jobs, bulletin=Rings(), providers={"twilio": provider}, pause=pause)  # type: ignore[arg-type]


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
    router = route(store, jobs, twilio)

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


class Office:
    """An account that serves many, at the simulated provider, and what came in for it."""

    def __init__(self, store: Store, simulator: Simulator, account: Account) -> None:
        self.store = store
        self.simulator = simulator
        self.account = account

    async def come_in(self, call_id: str | None = None) -> Recording:
        """Be told of a recording; *call_id*: the call that it claims to be of."""
        made = self.simulator.add_recording(account_sid=self.account.account_sid)
        given = {"provider_recording_id": made.sid, "call_id": call_id or made.call_sid}
        told = notice(account_id=self.account.id, tenant_id=ASIDE, **given)
        return (await self.store.record(told, actor="webhook")).recording

    async def is_told(self, recording: Recording) -> bool:
        return (await self.store.get(ASIDE, recording.id)).call is not None

    @property
    def asked(self) -> list[Entry]:
        return [entry for entry in self.simulator.log.entries if "/Calls/" in entry.path]


async def office(store: Store, simulator: Simulator, name: str = SHARED) -> Office:
    theirs = simulator.add_account()
    one = account_of(simulator, theirs, id=AccountId(name), default_tenant=ASIDE, by_number=True)
    await (store.set_account if name == SHARED else store.add_account)(one)
    return Office(store, simulator, one)


async def test_a_call_that_is_never_told_holds_up_no_other(
    store: Store, shared: Account, simulator: Simulator, twilio: Twilio
) -> None:
    their = await office(store, simulator)
    strange = await their.come_in(call_id="a call whose id nobody can ask for")
    others = [await their.come_in() for _ in range(BATCH + 2)]  # more than one step asks for
    router = route(store, Jobs(), twilio)

    for _ in range(3):
        await router.step(their.account)

    assert [await their.is_told(one) for one in others] == [True] * len(others)
    assert not await their.is_told(strange)
    assert len(their.asked) == len(others), "nothing is asked for twice"


async def test_an_account_that_tells_nothing_is_left_alone_and_others_are_asked_all_the_same(
    store: Store, shared: Account, simulator: Simulator, twilio: Twilio
) -> None:
    silent, their = await office(store, simulator), await office(store, simulator, "second")
    await store.set_account(replace(silent.account, auth_token="changed at the provider"))
    for _ in range(4):
        await silent.come_in()
    known = await their.come_in()
    router = route(store, Jobs(), twilio)

    for _ in range(3):
        await router.turn()

    assert await their.is_told(known)
    assert [entry.status for entry in their.asked].count(401) == 1


async def test_a_pause_lies_between_two_questions(
    store: Store, shared: Account, simulator: Simulator, twilio: Twilio
) -> None:
    their = await office(store, simulator)
    for _ in range(3):
        await their.come_in()

    await route(store, Jobs(), twilio, pause=timedelta(seconds=0.1)).step(their.account)

    first, second, third = their.asked
    assert min(second.start - first.start, third.start - second.start) >= 0.1


class Defective(Twilio):
    """It makes a mistake with one call."""

    mistaken = ""

    async def call(self, account: Account, recording: Recording) -> Call | None:
        if recording.id == self.mistaken:
            raise KeyError("a field that was never missing before")
        return await super().call(account, recording)


async def test_a_defect_that_one_call_shows_keeps_no_other_from_being_asked_for(
    store: Store, shared: Account, simulator: Simulator
) -> None:
    their = await office(store, simulator)
    first, second = await their.come_in(), await their.come_in()
    provider = Defective()
    provider.mistaken = first.id
    running = asyncio.create_task(route(store, Jobs(), provider).run())
    try:
        async with asyncio.timeout(30):
            while not await their.is_told(second):
                await asyncio.sleep(0.02)
        assert not await their.is_told(first)
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await provider.close()
