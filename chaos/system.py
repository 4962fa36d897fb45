"""The running system that is hit: real processes on real parts, each reached by its own proxy."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
from benchmarks.servers import Postgres
from tests.fixtures import s3
from tests.fixtures.ports import free_port

from callspool.domain.ids import AccountId, TenantId
from callspool.domain.tenant import Account, Tenant
from callspool.scheduler.embedded import Embedded, socket_path
from callspool.settings import Settings
from callspool.simulator import Simulator
from callspool.wiring import Parts, add_key, open_parts, valkey_folder
from chaos.plan import ACCOUNT_LIMIT, ALONE, LEASE_S, TENANTS, WORKERS, Plan
from chaos.proxy import Proxy, Upstream

SERVER: Final = WORKERS
"""The number of the process that serves; the workers come before it."""
TOKEN: Final = "chaos"
SIDS: Final = {name: "AC" + name[0] * 32 for name in ("alone", "busy", "calm", "fair")}
"""Accounts: of the tenant that is alone; of the others; and two for what is tried when all is healed."""
LIMITS: Final = {"alone": ACCOUNT_LIMIT // 2, "busy": ACCOUNT_LIMIT, "calm": 20, "fair": 2}
_START_S: Final = 180.0
_END_S: Final = 60.0


@dataclass(slots=True)
class Running:
    """A process, as it is now."""

    process: "subprocess.Popen[bytes]"
    proxies: dict[str, Proxy]


class System:
    """One data folder, what runs on it, and the provider."""

    def __init__(self, folder: Path, parts: Parts, simulator: Simulator, valkey: Embedded) -> None:
        self.folder = folder
        self.parts = parts
        self.simulator = simulator
        self.valkey = valkey
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[int, Running] = {}
        self.worker_pids: set[int] = set()
        self.fallen: list[str] = []
        self.keys: dict[str, str] = {}
        """API keys by tenant; of the operator under the empty name."""
        self.http = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=20)

    def webhook(self, tenant: str, account: str) -> str:
        """Return where the provider sends a tenant's callbacks."""
        return f"{self.url}/webhooks/twilio/{account}/{tenant}"

    async def prepare(self) -> None:
        """Make tenants, accounts, keys and the proxies of each process; start all."""
        await self.parts.producer.open()
        store = self.parts.store
        for name, slots in TENANTS.items():
            await store.add_tenant(Tenant(TenantId(name), name, slots=slots))
            self.keys[name] = (await add_key(self.parts, TenantId(name), "chaos"))[1]
        self.keys[""] = (await add_key(self.parts, None, "chaos"))[1]
        for name, sid in SIDS.items():
            self.simulator.add_account(sid, TOKEN)
            default = ALONE if name == "alone" else next(iter(TENANTS))
            account = Account(AccountId(name), "twilio", TenantId(default), sid, TOKEN)
            await store.add_account(replace(account, base_url=self.simulator.url, limit=LIMITS[name]))
        for number in range(WORKERS + 1):
            proxies = {part: Proxy(upstream) for part, upstream in self._upstreams().items()}
            for proxy in proxies.values():
                await proxy.start()
            self.processes[number] = Running(self._spawn(number, proxies), proxies)
        await self.serves()

    async def serves(self) -> None:
        """Wait until the API answers; a server that could not start, or ended by itself, is started again."""
        async with asyncio.timeout(_START_S):
            while True:
                self.start(SERVER)
                with suppress(httpx.HTTPError):
                    if (await self.http.get("/healthz")).status_code == 204:
                        return
                await asyncio.sleep(0.05)

    def named(self) -> dict[str, Running]:
        """Return the processes that run now, by what they are called."""
        return {self._log_of(number).stem: running for number, running in self.processes.items()}

    def start(self, number: int) -> None:
        """Start a process that ended again, behind the same proxies."""
        running = self.processes[number]
        if (code := running.process.poll()) is not None:
            self._look_at_its_end(number, code)
            running.process = self._spawn(number, running.proxies)

    async def end(self, number: int, how: signal.Signals) -> None:
        """End a process and wait until it has."""
        process = self.processes[number].process
        process.send_signal(how)
        await asyncio.to_thread(process.wait, _END_S)

    async def heal(self) -> None:
        """Undo all that was done: everything runs, nothing is cut."""
        if self.valkey.pid is None:
            self.valkey.start()
        for number, running in self.processes.items():
            for proxy in running.proxies.values():
                proxy.heal()
            self.start(number)
        await self.serves()

    async def close(self) -> None:
        """End everything that was started."""
        for running in self.processes.values():
            running.process.kill()
            running.process.wait()
            for proxy in running.proxies.values():
                await proxy.stop()
        await self.http.aclose()

    def _look_at_its_end(self, number: int, code: int) -> None:
        """Note an end by a traceback; one line and status 1 are how a process says that it cannot start."""
        log = self._log_of(number)
        last = log.read_text(errors="replace").splitlines()[-1:]
        if code not in (0, -signal.SIGKILL, -signal.SIGTERM) and not "".join(last).startswith("callspool: "):
            self.fallen.append(f"{log.stem} ended with status {code}: {''.join(last)[:200]}")

    def _log_of(self, number: int) -> Path:
        return self.folder / ("server.log" if number == SERVER else f"worker-{number}.log")

    def _upstreams(self) -> dict[str, Upstream]:
        settings = self.parts.settings
        upstreams = {"valkey": Upstream(path=str(socket_path(valkey_folder(settings))))}
        if settings.database_url:
            folder = settings.database_url.split("host=")[1]
            upstreams["store"] = Upstream(path=f"{folder}/.s.PGSQL.5432")
        if settings.vault_url:
            upstreams["vault"] = Upstream(port=int(settings.vault_url.rsplit(":", 1)[1]))
        return upstreams

    def _spawn(self, number: int, proxies: dict[str, Proxy]) -> "subprocess.Popen[bytes]":
        settings = self.parts.settings
        changed: dict[str, object] = {"valkey_url": f"valkey://127.0.0.1:{proxies['valkey'].port}/0"}
        if "store" in proxies:
            database = urlsplit(settings.database_url).path
            changed["database_url"] = f"postgresql://postgres@127.0.0.1:{proxies['store'].port}{database}"
        if "vault" in proxies:
            changed["vault_url"] = f"{settings.vault_url.rsplit(':', 1)[0]}:{proxies['vault'].port}"
        changed["public_url"] = self.url
        command = ["serve", "--port", str(self.port)] if number == SERVER else ["worker", "--concurrency", "8"]
        with self._log_of(number).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "callspool.cli", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **settings.model_copy(update=changed).as_environment()},
            )
        if number != SERVER:
            self.worker_pids.add(process.pid)
        return process


@asynccontextmanager
async def system(plan: Plan, folder: Path) -> AsyncIterator[System]:
    """Start what the plan asks for, in *folder*; end all of it."""
    async with AsyncExitStack() as stack:
        given: dict[str, object] = {}
        if plan.database == "postgresql":
            server = Postgres()
            stack.callback(server.stop)
            given["database_url"] = stack.enter_context(server.database()).url
        if plan.vault == "s3":
            (folder / "s3").mkdir()
            given["vault_url"] = f"s3://{s3.BUCKET}/chaos?endpoint={stack.enter_context(s3.running(folder / 's3')).url}"
            given |= {"vault_access_key": s3.ACCESS_KEY, "vault_secret_key": s3.SECRET_KEY}
        settings = Settings.read(
            None,
            data=folder / "data",
            lease=LEASE_S,
            retry_scale=0.05,
            stall_timeout=2,
            reconcile_every=2,
            # What only a list told is the account's default tenant's, and tenants share an account here. The one that
            # has its own is listed when the run asks for it.
            backfill_span=0,
            backfill_pause=0.05,
            drain_grace=2,
            play_wait=2,
            log_level="warning",
            log_format="json",
            **given,
        )
        settings.data.mkdir(parents=True)
        valkey = Embedded(valkey_folder(settings))
        valkey.start()
        stack.callback(valkey.stop)
        simulator = await stack.enter_async_context(Simulator(seed=plan.seed))
        parts = await stack.enter_async_context(open_parts(settings))
        one = System(folder, parts, simulator, valkey)
        stack.push_async_callback(one.close)
        await one.prepare()
        yield one
