"""The real API over real HTTP: uvicorn on a free port, the real store (SQLite), the real Valkey, the real vault."""

import asyncio
import contextlib
import hashlib
import secrets
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from twilio.request_validator import RequestValidator

from callspool.api.app import create_app
from callspool.api.live import Live
from callspool.api.services import Services
from callspool.audio.probe import SubprocessProber
from callspool.audio.render import SubprocessRenderer
from callspool.cli.serving import protocol
from callspool.domain.errors import Misconfigured, SchedulerUnavailable
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.keys import KEY_RANDOMNESS, new_key
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Kept, Recording
from callspool.domain.tenant import Tenant
from callspool.providers.twilio import Twilio
from callspool.scheduler.bulletin import ValkeyBulletin
from callspool.scheduler.connection import Functions
from callspool.scheduler.embedded import Embedded
from callspool.scheduler.producer import ValkeyProducer
from callspool.settings import Settings
from callspool.store import connect
from callspool.vault.disk import DiskVault
from callspool.vault.keys import vault_key
from callspool.wiring import open_identity
from tests.fixtures import made
from tests.fixtures.missing import missing

SECRET = bytes(range(32))
AUDIO = bytes(range(256)) * 4096  # 1 MiB: several chunks


class SettableClock:
    """The real time, put forward as a test wants."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True)
class Api:
    """A running API and what is behind it."""

    url: str
    services: Services
    clock: SettableClock
    client: httpx.AsyncClient
    keys: dict[str, str]
    folder: Path
    live: Live
    app: FastAPI

    def as_(self, who: str | None) -> dict[str, str]:
        """The headers of ``operator``, ``acme``, ``bravo`` or None."""
        return {"authorization": f"Bearer {self.keys[who]}"} if who else {}

    async def get(self, path: str, who: str | None = "acme", **given: Any) -> httpx.Response:
        headers = {**self.as_(who), **given.pop("headers", {})}
        return await self.client.get(path, headers=headers, **given)

    async def post(self, path: str, who: str | None = "acme", **given: Any) -> httpx.Response:
        headers = {**self.as_(who), **given.pop("headers", {})}
        return await self.client.post(path, headers=headers, **given)

    async def webhook(
        self,
        path: str = "/webhooks/twilio/main",
        *,
        path_sent: str | None = None,
        signature: str | None = None,
        token: str = "the-token",
        headers: dict[str, str] | None = None,
        **form: str,
    ) -> httpx.Response:
        """Send what Twilio would."""
        fields = {
            "AccountSid": made.AC,
            "RecordingSid": new_sid("RE"),
            "CallSid": made.CA,
            "RecordingStatus": "completed",
            "RecordingDuration": "12",
            "RecordingChannels": "1",
            **form,
        }
        public = self.services.settings.public_url + path
        signed = RequestValidator(token).compute_signature(public, fields) if signature is None else signature
        return await self.client.post(
            path_sent or path,
            content=urlencode(fields),
            headers={
                "content-type": "application/x-www-form-urlencoded",
                "x-twilio-signature": signed,
                **(headers or {}),
            },
        )

    async def record(self, tenant: str = "acme", **changes: Any) -> Recording:
        """A recording as a webhook leaves it: queued."""
        given: dict[str, Any] = {
            "account_id": AccountId("main"),
            "tenant_id": TenantId(tenant),
            "provider_recording_id": new_sid("RE"),
            "call_id": made.CA,
            "status": ProviderStatus.COMPLETED,
            "duration_s": 12.0,
        }
        return (await self.services.store.record(Notice(**{**given, **changes}), actor="webhook")).recording

    async def fetching(self, tenant: str = "acme", account: str = "main") -> Recording:
        recording = await self.record(tenant, account_id=AccountId(account))
        claimed = await self.services.store.claim(recording.id, actor="worker:test")
        assert claimed is not None
        return claimed

    async def ready(self, tenant: str = "acme", data: bytes = AUDIO, content_type: str = "audio/wav") -> Recording:
        """A recording in store and vault."""
        return await self.keep(await self.fetching(tenant), data, content_type)

    async def keep(self, claimed: Recording, data: bytes = AUDIO, content_type: str = "audio/wav") -> Recording:
        """What a worker does with all the bytes of what it claimed."""
        key = vault_key(claimed.tenant_id, claimed.id, claimed.attempt, "wav")
        source = self.folder / f"{claimed.id}.part"
        source.write_bytes(data)
        await self.services.vault.put(key, source)
        kept = Kept(key, sha(data), len(data), content_type, 1, 8000, 12.0, verified=True)
        done = await self.services.store.keep(claimed.id, claimed.attempt, kept, actor="worker:test")
        assert done is not None
        await self.services.bulletin.ring()
        return done

    async def failed(self, tenant: str = "acme", reason: Reason = Reason.GONE, account: str = "main") -> Recording:
        return await self.give_up(await self.fetching(tenant, account), reason)

    async def give_up(self, claimed: Recording, reason: Reason = Reason.GONE) -> Recording:
        done = await self.services.store.give_up(
            claimed.id, claimed.attempt, reason=reason, detail="seen", budget=Budget.TRIES, actor="worker:test"
        )
        assert done is not None
        return done

    async def announced(self) -> Recording:
        return await self.record(status=ProviderStatus.IN_PROGRESS)

    async def absent(self) -> Recording:
        return await self.record(status=ProviderStatus.ABSENT)

    async def deferred(self, tenant: str = "acme") -> Recording:
        claimed = await self.fetching(tenant)
        done = await self.services.store.defer(
            claimed.id,
            claimed.attempt,
            reason=Reason.NOT_READY,
            detail="404",
            budget=Budget.NOT_READY,
            not_before=datetime.now(UTC) + timedelta(hours=1),
            actor="worker:test",
        )
        assert done is not None
        return done

    async def recordings(self) -> list[Recording]:
        """All that the store has, newest first."""
        return list((await self.services.store.list(RecordingFilter(), cursor=None, limit=200)).recordings)

    async def states(self) -> dict[str, str]:
        """What the store says, by provider's id."""
        return {recording.provider_recording_id: recording.state for recording in await self.recordings()}


def new_sid(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
async def store(tmp_path: Path, clock: SettableClock, migrated_file: Path) -> AsyncIterator[Store]:
    shutil.copy(migrated_file, tmp_path / "callspool.db")
    store = await connect(f"sqlite:///{tmp_path}/callspool.db", clock=clock, secret_key=SECRET)
    yield store
    await store.close()


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """One server for all tests of the API; each has a shard of its own."""
    server = Embedded(tmp_path_factory.mktemp("valkey"))
    try:
        server.start()
    except Misconfigured as reason:
        missing(str(reason))
    yield server
    server.stop()


@pytest.fixture
async def functions(valkey_server: Embedded) -> AsyncIterator[Functions]:
    functions = Functions(valkey_server.url, f"1.{secrets.token_hex(8)}")  # of a layout of one
    yield functions
    await functions.close()


@pytest.fixture
async def api(tmp_path: Path, clock: SettableClock, store: Store, functions: Functions) -> AsyncIterator[Api]:
    """Two tenants, acme and bravo, with a key each; the accounts main (acme's) and second (bravo's)."""
    async with running(tmp_path, clock, store, functions) as api:
        yield api


@pytest.fixture
async def patient_api(tmp_path: Path, clock: SettableClock, store: Store, functions: Functions) -> AsyncIterator[Api]:
    """The same, with play requests that wait for longer than any test."""
    async with running(tmp_path, clock, store, functions, play_wait=30) as api:
        yield api


@pytest.fixture
async def api_without_valkey(tmp_path: Path, clock: SettableClock, store: Store) -> AsyncIterator[Api]:
    """The same with a Valkey that is not there."""
    functions = Functions(f"unix://{tmp_path}/nothing.sock")
    async with running(tmp_path, clock, store, functions) as api:
        yield api
    await functions.close()


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    clock: SettableClock,
    store: Store,
    functions: Functions,
    *,
    play_wait: float = 0.2,
    vault: Vault | None = None,
    **settings: Any,
) -> AsyncIterator[Api]:
    """Serve the API on a free port until the block ends."""
    prober = SubprocessProber()
    given: dict[str, Any] = {"play_wait": play_wait, "public_url": "https://calls.example/prefix", **settings}
    read = Settings.read({}, data=folder, **given)
    services = Services(
        settings=read,
        identity=open_identity(read),
        store=store,
        producer=ValkeyProducer(functions),
        bulletin=ValkeyBulletin(functions),
        vault=vault or DiskVault(folder / "vault"),
        prober=prober,
        renderer=SubprocessRenderer(),
        providers={"twilio": Twilio()},
        clock=clock,
        secret_key=SECRET,
    )
    keys = await seed(services)
    app = create_app(services, web_folder=folder / "web")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            app, http=protocol(app), log_config=None, proxy_headers=False, timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # Nothing here is TLS, and to read all authorities' certificates takes longer than most tests.
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10, verify=False) as client:
            await until(lambda: started(server, serving))
            yield Api(url, services, clock, client, keys, folder, app.state.live, app)
        server.should_exit = True
        await serving
    await prober.close()


async def started(server: uvicorn.Server, serving: "asyncio.Task[None]") -> bool:
    if serving.done():
        serving.result()
    return server.started


async def seed(services: Services) -> dict[str, str]:
    """Add what every test needs; return the keys' texts."""
    keys = {}
    for name in ("acme", "bravo", "operator"):
        tenant_id = None if name == "operator" else TenantId(name)
        if tenant_id:
            await services.store.add_tenant(Tenant(tenant_id, name.title()))
        key, keys[name] = new_key(
            tenant_id, name, now=services.clock.now(), randomness=secrets.token_bytes(KEY_RANDOMNESS)
        )
        await services.store.add_key(key)
    await services.store.add_account(made.account())
    await services.store.add_account(made.account(id=AccountId("second"), default_tenant=TenantId("bravo")))
    with contextlib.suppress(SchedulerUnavailable):
        for tenant in ("acme", "bravo"):
            await services.producer.set_tenant(tenant, slots=3, weight=1.0, paused=False)
        for pool in ("main", "second"):
            await services.producer.set_pool(pool, limit=20, paused=False)
    return keys
