"""Nobody holds up another: accounts that are slow, throttled or full, and recordings that wait aside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from callspool.domain.backfill import Backfill, BackfillState
from callspool.domain.ids import AccountId
from callspool.domain.ports.provider import ProviderStatus
from callspool.domain.recording import State
from callspool.domain.tenant import Account
from callspool.reconcile.reconciler import Reconciler
from callspool.wiring import make_backfiller
from tests.acceptance.lab import ACME, MAIN, TODAY, Lab, laboratory
from tests.acceptance.system import TOKEN, until

OTHER_SID = "AC" + "b" * 32
OTHER = AccountId("other")


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with laboratory(tmp_path) as lab:
        yield lab


async def with_another_account(lab: Lab) -> str:
    """Add a second account, with a recording of yesterday that nobody told of; return its id."""
    lab.simulator.add_account(OTHER_SID, TOKEN)
    await lab.parts.store.add_account(Account(OTHER, "twilio", ACME, OTHER_SID, TOKEN, base_url=lab.simulator.url))
    yesterday = TODAY - timedelta(days=0.5)
    return lab.simulator.add_recording(account_sid=OTHER_SID, created_at=yesterday).sid


@asynccontextmanager
async def listing(lab: Lab) -> AsyncIterator[None]:
    """Let a server's part that lists run meanwhile."""
    backfiller = make_backfiller(lab.parts)
    running = asyncio.create_task(backfiller.run())
    try:
        yield
    finally:
        backfiller.stop()
        await asyncio.wait_for(running, 30)


async def ended(lab: Lab, made: Backfill) -> Backfill:
    async def over() -> Backfill | None:
        now = await lab.parts.store.backfill(made.id)
        return now if now.state in {BackfillState.DONE, BackfillState.FAILED} else None

    return await until(over)


@pytest.mark.parametrize("answer", ["429:60", "429:0"], ids=["far away", "again and again"])
async def test_an_account_that_is_only_told_to_slow_down_holds_up_no_other(lab: Lab, answer: str) -> None:
    """It is let go of, so that also one place alone goes on with another account, and it goes on itself later."""
    settings = lab.parts.settings.model_copy(update={"retry_scale": 0.001})
    lab = replace(lab, parts=replace(lab.parts, settings=settings))
    await with_another_account(lab)
    lab.simulator.fail_lists(lab.provided, *[answer] * 7)
    backfiller = make_backfiller(lab.parts)
    throttled = await lab.ask(2)
    other = await lab.parts.store.add_backfill(OTHER, TODAY - timedelta(days=2), TODAY, dry_run=False)

    async def other_is_done() -> bool:
        await backfiller.run_one()
        return (await lab.parts.store.backfill(other.id)).state is BackfillState.DONE

    await until(other_is_done, 15)
    assert (await lab.parts.store.backfill(throttled.id)).state is BackfillState.RUNNING
    if answer == "429:0":
        async with listing(lab):
            assert (await ended(lab, throttled)).state is BackfillState.DONE


async def test_accounts_are_listed_beside_each_other(lab: Lab) -> None:
    settings = lab.parts.settings.model_copy(update={"backfill_pause": timedelta(seconds=30)})
    slow = replace(lab, parts=replace(lab.parts, settings=settings))
    found = await with_another_account(lab)
    missed = lab.make(0.5)
    await lab.ask(30)

    await lab.parts.store.add_backfill(OTHER, TODAY - timedelta(days=1), TODAY, dry_run=False)
    async with listing(slow):  # each pauses for long after its first page

        async def both() -> bool:
            states = await lab.states()
            pages = {entry.account_sid for entry in lab.simulator.log.entries if "/Recordings.json" in entry.path}
            return found in states and len(pages) == 2

        await until(both, 20)
    assert missed not in await lab.states(), "thirty days were to be listed before"


async def test_unknown_numbers_that_wait_aside_do_not_stop_a_backfill(lab: Lab) -> None:
    settings = lab.parts.settings.model_copy(update={"backfill_backlog": 3})
    lab = replace(lab, parts=replace(lab.parts, settings=settings))
    account, tenant = await lab.parts.store.account(MAIN), await lab.parts.store.tenant(ACME)
    await lab.parts.store.set_account(replace(account, by_number=True))
    await lab.parts.store.set_tenant(replace(tenant, paused=True))
    await lab.parts.producer.set_tenant(ACME, slots=3, weight=1.0, paused=True)
    for days in (1, 2, 3):
        for n in range(4):
            lab.make(days - n / 100)
    made = await lab.ask(4)

    async with listing(lab):
        done = await ended(lab, made)

    # What the continuous run met first is known to the other.
    assert (done.state, done.inserted + done.known) == (BackfillState.DONE, 12)
    (load,) = await lab.parts.producer.load([ACME])
    assert load.waiting == 12


async def test_what_waits_because_a_person_paused_it_is_not_called_overdue(lab: Lab) -> None:
    await lab.hear("RE" + "1" * 32)

    class Later:
        def now(self) -> datetime:
            return datetime.now(UTC) + timedelta(hours=1)

    parts = lab.parts
    reconciler = Reconciler(store=parts.store, producer=parts.producer, clock=Later(), settings=parts.settings)

    async def told() -> int:
        with structlog.testing.capture_logs() as log:
            await reconciler.resubmit()
        return sum(entry["event"] == "recordings.overdue" for entry in log)

    assert await told() == 1
    tenant, account = await parts.store.tenant(ACME), await parts.store.account(MAIN)
    await parts.store.set_tenant(replace(tenant, paused=True))
    assert await told() == 0
    await parts.store.set_tenant(tenant)
    await parts.store.set_account(replace(account, paused=True))
    assert await told() == 0


async def test_an_announced_recording_that_cannot_be_asked_for_holds_up_no_other(lab: Lab) -> None:
    settings = lab.parts.settings.model_copy(update={"announced_ttl": timedelta()})
    lab = replace(lab, parts=replace(lab.parts, settings=settings))
    gone, others = "RE" + "e" * 32, ["an id that nobody can ask for", "another such id"]
    for sid in (others[0], gone, others[1]):
        await lab.hear(sid, ProviderStatus.IN_PROGRESS)

    await lab.slide()

    assert await lab.states() == {gone: State.ABSENT} | dict.fromkeys(others, State.ANNOUNCED)
