"""Backfills without a server: a real store, a real Valkey, a simulated provider, and runs when the test wants them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from callspool.domain.audit import By
from callspool.domain.backfill import Backfill
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.recording import Recording, State
from callspool.domain.tenant import Account, Tenant
from callspool.scheduler.embedded import Embedded
from callspool.settings import Settings
from callspool.simulator import Account as Provided
from callspool.simulator import Simulator
from callspool.wiring import Parts, make_backfiller, open_parts, valkey_folder
from tests.acceptance.system import SID, TOKEN, until

MAIN, ACME = AccountId("main"), TenantId("acme")
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass
class Lab:
    """Store, scheduler and provider, without a server: the test says when something is listed."""

    parts: Parts
    simulator: Simulator
    provided: Provided

    def make(self, days_ago: float, **given: Any) -> str:
        """Have the provider record a call of which nobody told us; return its id."""
        at = TODAY - timedelta(days=days_ago)
        return self.simulator.add_recording(account_sid=SID, created_at=at, **given).sid

    async def ask(self, days: int, *, dry_run: bool = False) -> Backfill:
        """Ask for the last *days* before today."""
        since = TODAY - timedelta(days=days)
        return await self.parts.store.add_backfill(MAIN, since, TODAY, dry_run=dry_run, by=By("test"))

    async def backfill(self, days: int, *, dry_run: bool = False) -> Backfill:
        """List the last *days*, to the end."""
        made = await self.ask(days, dry_run=dry_run)
        assert await make_backfiller(self.parts).run_one(made.id)
        return await self.parts.store.backfill(made.id)

    async def slide(self) -> None:
        """Do what the continuous one does when it is due."""
        backfiller = make_backfiller(self.parts)
        await backfiller.ensure_sliding()

        async def done() -> bool:
            return await backfiller.run_one(sliding=True)

        await until(done)

    async def states(self) -> dict[str, State]:
        """All that we have, by the provider's id."""
        page = await self.parts.store.list(RecordingFilter(), cursor=None, limit=1000)
        return {one.provider_recording_id: one.state for one in page.recordings}

    async def hear(self, sid: str, status: ProviderStatus = ProviderStatus.COMPLETED) -> Recording:
        """Be told of it by a webhook."""
        return (await self.parts.store.record(Notice(MAIN, ACME, sid, None, status), actor="webhook")).recording

    def asked(self) -> list[float]:
        """When the provider was asked for lists."""
        return [entry.start for entry in self.simulator.log.entries if "/Recordings.json" in entry.path]


@asynccontextmanager
async def laboratory(folder: Path) -> AsyncIterator[Lab]:
    """Start a Valkey and a provider; add an account and its tenant."""
    given = Settings.read(
        {},
        data=folder / "data",
        lease=5,
        dedup_window=1,
        retry_scale=0.01,
        backfill_pause=0,
        backfill_every=0.1,
        backfill_backlog=10_000,
        log_level="error",
    )
    async with AsyncExitStack() as stack:
        given.data.mkdir()
        valkey = Embedded(valkey_folder(given))
        valkey.start()
        stack.callback(valkey.stop)
        simulator = await stack.enter_async_context(Simulator(seed=1))
        provided = simulator.add_account(SID, TOKEN)
        parts = await stack.enter_async_context(open_parts(given))
        await parts.producer.open()
        await parts.store.add_tenant(Tenant(ACME, "Acme"))
        await parts.store.add_account(Account(MAIN, "twilio", ACME, SID, TOKEN, base_url=simulator.url))
        await parts.producer.set_pool(MAIN, limit=20, paused=False)
        await parts.producer.set_tenant(ACME, slots=3, weight=1.0, paused=False)
        yield Lab(parts, simulator, provided)
