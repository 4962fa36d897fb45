"""Starts the simulator and ``callspool up`` as processes of their own, and ends them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from callspool.cli.demo.http import Http
from callspool.domain.errors import Misconfigured
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.tenant import Account, Tenant
from callspool.settings import Settings, environment_without_settings
from callspool.wiring import Parts, open_parts

ACCOUNT_SID = "AC" + "d" * 32
_TOKEN = "demo"  # noqa: S105 -- known to the simulator only
_START_S = 120
_STOP_S = 40

TENANTS = (
    Tenant(TenantId("harbor-dental"), "Harbor Dental", slots=3),
    Tenant(TenantId("north-realty"), "North Realty", slots=3),
    Tenant(TenantId("blue-taxi"), "Blue Taxi", slots=3),
    Tenant(TenantId("kiln-studio"), "Kiln Studio", slots=2),
    Tenant(TenantId("city-clinic"), "City Clinic", slots=3, weight=2.0),
    Tenant(TenantId("mega-support"), "Mega Support", slots=3),
)
ACCOUNT_LIMIT = 12


@dataclass(frozen=True, slots=True)
class SetUp:
    """A running demo."""

    url: str
    key: str
    simulator: Http
    api: Http
    parts: Parts

    def webhook_url(self, tenant: str) -> str:
        """Return where the provider sends a tenant's callbacks."""
        return f"{self.url}/webhooks/twilio/demo/{tenant}"


class Stage:
    """Simulator and callspool, in a temporary folder. Both end with us, also where we are killed."""

    def __init__(self, settings: Settings, *, rate: int | None) -> None:
        """Have each download come at *rate* bytes a second; None: as fast as it goes."""
        self._settings = settings
        self._rate = [] if rate is None else ["--rate", str(rate)]

    @asynccontextmanager
    async def set_up(self) -> AsyncIterator[SetUp]:
        """Start everything and add six tenants; end everything afterwards."""
        async with AsyncExitStack() as stack:
            simulator = await stack.enter_async_context(
                _process(
                    *("callspool.simulator", "--json", "--end-with-stdin", *self._rate),
                    environment=environment_without_settings(),
                )
            )
            up = await stack.enter_async_context(
                _process(
                    *("callspool.cli", "up", "--json", "--child", "--port", str(self._settings.port)),
                    environment=self._settings.for_child(),
                )
            )
            settings = self._settings.model_copy(update={"data": Path(up["data"])})
            parts = await stack.enter_async_context(open_parts(settings))
            api = Http(up["url"], up["key"])
            provider = Http(simulator["url"])
            await provider.post("/_simulator/accounts", {"account_sid": ACCOUNT_SID, "auth_token": _TOKEN})
            await _add_tenants(parts, simulator["url"])
            yield SetUp(up["url"], up["key"], provider, api, parts)


async def _add_tenants(parts: Parts, provider_url: str) -> None:
    for tenant in TENANTS:
        await parts.store.add_tenant(tenant)
        await parts.producer.set_tenant(tenant.id, slots=tenant.slots, weight=tenant.weight, paused=False)
    account = Account(AccountId("demo"), "twilio", TENANTS[0].id, ACCOUNT_SID, _TOKEN)
    await parts.store.add_account(replace(account, base_url=provider_url, limit=ACCOUNT_LIMIT))
    await parts.producer.set_pool(account.id, limit=ACCOUNT_LIMIT, paused=False)


@asynccontextmanager
async def _process(module: str, *args: str, environment: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
    """Run a module as a process, and yield the line of JSON with which it says that it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *args),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        process_group=0,
    )
    try:
        assert process.stdout is not None  # noqa: S101 -- PIPE was asked for
        line = b""
        with suppress(TimeoutError):
            line = await asyncio.wait_for(process.stdout.readline(), _START_S)
        if not line:
            raise Misconfigured(f"{module} did not start in {_START_S} s, or ended; what it said stands above.")
        yield json.loads(line)
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
