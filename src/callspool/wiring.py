"""Puts the parts together. The only place that names implementations.

What only one kind of process needs is imported by the function that makes it: a command starts in half the time.
"""

import errno
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from callspool.audio.probe import SubprocessProber
from callspool.audio.render import SubprocessRenderer
from callspool.domain.audit import CALLSPOOL, By
from callspool.domain.errors import Misconfigured
from callspool.domain.ids import TenantId
from callspool.domain.keys import KEY_RANDOMNESS, new_key
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.provider import Provider
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.domain.tenant import ALL_SCOPES, ApiKey, Scope
from callspool.providers import signalwire, telnyx, twilio
from callspool.providers.profile import Profile
from callspool.scheduler import embedded
from callspool.scheduler.bulletin import ValkeyBulletin
from callspool.scheduler.connection import Functions, shard_names
from callspool.scheduler.producer import ValkeyProducer
from callspool.settings import Settings
from callspool.store import connect
from callspool.store.keyfile import KeyFile

if TYPE_CHECKING:
    from fastapi import FastAPI

    from callspool.fetch.outcome import Outcome
    from callspool.fetch.worker import Worker
    from callspool.identity.oidc import OpenIdProvider
    from callspool.lifecycle.schedule import Lifecycle
    from callspool.reconcile.backfiller import Backfiller
    from callspool.reconcile.courier import Courier
    from callspool.reconcile.numbers import NumberRouter
    from callspool.reconcile.operations import OperationRunner
    from callspool.reconcile.reconciler import Reconciler
    from callspool.telemetry import Metrics

PROVIDERS: Final[Mapping[str, type[twilio.Twilio | telnyx.Telnyx]]] = {
    "twilio": twilio.Twilio,
    "signalwire": signalwire.SignalWire,
    "telnyx": telnyx.Telnyx,
}
PROFILES: Final[Mapping[str, Profile]] = {one.PROFILE.name: one.PROFILE for one in (twilio, signalwire, telnyx)}


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        """Return it, aware, UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """What every command needs, open."""

    settings: Settings
    clock: Clock
    secret_key: bytes = field(repr=False)
    key_file: KeyFile
    store: Store
    functions: Functions
    producer: ValkeyProducer
    bulletin: ValkeyBulletin
    vault: Vault
    prober: SubprocessProber
    providers: Mapping[str, Provider]


def valkey_folder(settings: Settings) -> Path:
    """Return where the embedded Valkey keeps its data."""
    return settings.data / "valkey"


def valkey_url(settings: Settings) -> str:
    """Return the address of Valkey: the one that is set, else the embedded one's."""
    return settings.valkey_url or embedded.url(valkey_folder(settings))


def database_url(settings: Settings) -> str:
    """Return the address of the store."""
    return settings.database_url or f"sqlite:///{settings.data.absolute()}/callspool.db"


def make_folder(settings: Settings) -> None:
    """Make the data folder where there is none. Raises `Misconfigured` where there cannot be one."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        if not os.access(settings.data, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "nothing can be written there")
    except OSError as error:
        why = "it is a file" if settings.data.is_file() else error.strerror
        raise Misconfigured(
            f"{settings.data.absolute()} cannot be the data folder: {why}. Choose another (--data, CALLSPOOL_DATA)."
        ) from None


def key_file(settings: Settings) -> KeyFile:
    """Return the file of the secret key; in a new data folder, make it. Raises `Misconfigured` where it is none."""
    file = KeyFile(settings.secret_key_file or settings.data / "secret.key")
    if not file.path.exists() and settings.secret_key_file is None:
        make_folder(settings)
        # The key is always made first, so a database without one has lost it; another key would be of no use to it.
        if not settings.database_url and (settings.data / "callspool.db").exists():
            raise Misconfigured(
                f"The secret key {file.path.absolute()} is gone, but its database is there. Restore it from your "
                "backup: without it the accounts' credentials cannot be read."
            )
        file.make()
    file()
    return file


def open_vault(settings: Settings, clock: Clock | None = None) -> Vault:
    """Return the vault that the settings name. Raises `VaultUnavailable` where a folder cannot be used."""
    address = urlsplit(settings.vault_url)
    if address.scheme != "s3":
        from callspool.vault.disk import DiskVault

        return DiskVault(Path(unquote(address.path)) if address.path else settings.vault)
    given = dict(parse_qsl(address.query))
    unknown = sorted(given.keys() - {"endpoint", "region"})
    if unknown:
        raise Misconfigured(f"CALLSPOOL_VAULT_URL: '{unknown[0]}' is not known; there are endpoint and region.")
    from callspool.vault.s3 import S3Vault

    return S3Vault(
        address.netloc,
        prefix=address.path.strip("/"),
        access_key=settings.vault_access_key,
        secret_key=settings.vault_secret_key.get_secret_value(),
        endpoint=given.get("endpoint", ""),
        region=given.get("region", "us-east-1"),
        clock=clock or SystemClock(),
    )


def open_identity(settings: Settings) -> "OpenIdProvider | None":
    """Return the identity provider that is set, which is asked nothing yet."""
    if not settings.oidc_issuer:
        return None
    from callspool.identity.oidc import OpenIdProvider

    return OpenIdProvider(
        settings.oidc_issuer,
        settings.oidc_client_id,
        settings.oidc_client_secret.get_secret_value(),
        name=settings.oidc_name,
        scopes=settings.oidc_scopes,
    )


@asynccontextmanager
async def open_parts(settings: Settings) -> AsyncIterator[Parts]:
    """Open store and vault and prepare the connections to Valkey, which need not answer yet."""
    make_folder(settings)
    clock, keys = SystemClock(), key_file(settings)
    async with AsyncExitStack() as stack:
        store = await connect(database_url(settings), clock=clock, secret_key=keys)
        stack.push_async_callback(store.close)
        shards = [Functions(valkey_url(settings), name) for name in shard_names(settings.shards)]
        for shard in shards:
            stack.push_async_callback(shard.close)
        providers: dict[str, Provider] = {}
        for name, make in PROVIDERS.items():
            providers[name] = make(
                connect_timeout=settings.connect_timeout,
                first_byte_timeout=settings.first_byte_timeout,
                stall_timeout=settings.stall_timeout,
            )
            stack.push_async_callback(providers[name].close)
        prober = SubprocessProber()  # starts nothing before it is asked
        stack.push_async_callback(prober.close)
        yield Parts(
            settings=settings,
            clock=clock,
            secret_key=await store.signing_key(),
            key_file=keys,
            store=store,
            functions=shards[0],
            producer=ValkeyProducer(*shards, dedup_window=settings.dedup_window),
            bulletin=ValkeyBulletin(shards[0]),
            vault=open_vault(settings, clock),
            prober=prober,
            providers=providers,
        )


def make_app(parts: Parts, metrics: "Metrics") -> "FastAPI":
    """Return the HTTP application."""
    from callspool.api.app import create_app
    from callspool.api.services import Services

    services = Services(
        identity=open_identity(parts.settings),
        settings=parts.settings,
        store=parts.store,
        producer=parts.producer,
        bulletin=parts.bulletin,
        vault=parts.vault,
        prober=parts.prober,
        renderer=SubprocessRenderer(),
        providers=parts.providers,
        clock=parts.clock,
        secret_key=parts.secret_key,
    )
    return create_app(services, metrics=metrics)


def make_reconciler(parts: Parts) -> "Reconciler":
    """Return what keeps the scheduler equal to the store."""
    from callspool.reconcile.reconciler import Reconciler

    return Reconciler(
        store=parts.store,
        producer=parts.producer,
        clock=parts.clock,
        settings=parts.settings,
        lifecycle=make_lifecycle(parts),
    )


def make_lifecycle(parts: Parts) -> "Lifecycle":
    """Return what purges recordings and removes what nobody needs."""
    from callspool.lifecycle.schedule import Lifecycle

    return Lifecycle(
        store=parts.store,
        vault=parts.vault,
        bulletin=parts.bulletin,
        producer=parts.producer,
        providers=parts.providers,
        clock=parts.clock,
        settings=parts.settings,
    )


def make_courier(parts: Parts) -> "Courier":
    """Return what hands messages to the scheduler."""
    from callspool.reconcile.courier import Courier

    return Courier(
        store=parts.store,
        producer=parts.producer,
        bulletin=parts.bulletin,
        clock=parts.clock,
        settings=parts.settings,
    )


def make_operation_runner(parts: Parts) -> "OperationRunner":
    """Return what works off operations."""
    from callspool.reconcile.operations import OperationRunner

    return OperationRunner(store=parts.store, producer=parts.producer, bulletin=parts.bulletin)


def make_number_router(parts: Parts) -> "NumberRouter":
    """Return what finds tenants by phone number."""
    from callspool.reconcile.numbers import NumberRouter

    return NumberRouter(
        store=parts.store,
        producer=parts.producer,
        bulletin=parts.bulletin,
        providers=parts.providers,
        pause=parts.settings.backfill_pause,
    )


def make_backfiller(parts: Parts) -> "Backfiller":
    """Return what compares the providers' lists with the store."""
    from callspool.reconcile.backfiller import Backfiller

    return Backfiller(
        holder=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
        store=parts.store,
        producer=parts.producer,
        bulletin=parts.bulletin,
        providers=parts.providers,
        clock=parts.clock,
        settings=parts.settings,
        random=SystemRandom(),
    )


@asynccontextmanager
async def open_worker(parts: Parts, worker_id: str, observe: "Callable[[Outcome], None]") -> AsyncIterator["Worker"]:
    """Return a worker; what it holds is let go at the end."""
    from callspool.fetch.tap import Taps
    from callspool.fetch.tapserver import TapServer
    from callspool.fetch.worker import Worker
    from callspool.scheduler.consumer import ValkeyConsumer

    settings = parts.settings
    async with AsyncExitStack() as stack:
        taps = Taps()
        server = TapServer(
            taps,
            host=settings.spool_host,
            port=settings.spool_port,
            address=settings.spool_address,
            secret_key=parts.secret_key,
            clock=parts.clock,
        )
        await stack.enter_async_context(server)
        consumer = ValkeyConsumer(
            valkey_url(settings),
            worker_id=worker_id,
            lease=settings.lease,
            shards=shard_names(settings.shards),
            address=server.address,
        )
        stack.push_async_callback(consumer.close)
        yield Worker(
            worker_id=worker_id,
            store=parts.store,
            consumer=consumer,
            bulletin=parts.bulletin,
            provider_of=parts.providers,
            vault=parts.vault,
            prober=parts.prober,
            clock=parts.clock,
            settings=settings,
            spool=settings.spool,
            random=SystemRandom(),
            observe=observe,
            taps=taps,
        )


async def add_key(
    parts: Parts,
    tenant_id: TenantId | None,
    name: str,
    *,
    scopes: frozenset[Scope] = ALL_SCOPES,
    expires_at: datetime | None = None,
    by: By = CALLSPOOL,
) -> tuple[ApiKey, str]:
    """Make an API key; its text is returned once and kept nowhere."""
    key, text = new_key(
        tenant_id,
        name,
        now=parts.clock.now(),
        randomness=secrets.token_bytes(KEY_RANDOMNESS),
        scopes=scopes,
        expires_at=expires_at,
    )
    await parts.store.add_key(key, by=by)
    return key, text


def with_port(settings: Settings, port: int) -> Settings:
    """Return the settings for the port that is really listened on, if the public URL is the default one."""
    is_default = settings.public_url == Settings.model_fields["public_url"].default
    public = f"http://{settings.host}:{port}" if is_default else settings.public_url
    return settings.model_copy(update={"port": port, "public_url": public})
