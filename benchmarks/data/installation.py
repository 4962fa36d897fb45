"""A whole callspool on this machine: Valkey, store, vault, the API's process, and a worker where one is wanted."""

import asyncio
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from benchmarks.data import made
from benchmarks.data.processes import running
from benchmarks.servers import valkey
from callspool.domain.ids import AccountId
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.recording import Kept, Recording
from callspool.domain.tenant import Tenant
from callspool.playback.tokens import ANY_ATTEMPT, Grant, Links
from callspool.settings import Settings
from callspool.telemetry import configure_logging
from callspool.vault.keys import vault_key
from callspool.wiring import Parts, make_reconciler, open_parts

_SLOTS = 32
_LINK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Installation:
    """One that runs."""

    settings: Settings
    port: int
    pids: tuple[int, ...]
    """Its servers."""

    def announce(self, sids: Sequence[str], duration_s: float) -> list[str]:
        """Tell it of recordings, which nobody asks for yet; return the paths that play them."""
        return asyncio.run(self._announce(sids, duration_s))

    def keep(self, file: Path) -> str:
        """Put a recording into the vault; return the path that plays it."""
        data = file.read_bytes()
        return asyncio.run(self._keep(file, len(data), hashlib.sha256(data).hexdigest()))

    def presigned(self) -> str:
        """Return the address under which the vault itself gives the one file that it has."""
        return asyncio.run(self._presigned())

    async def _presigned(self) -> str:
        async with open_parts(self.settings) as parts:
            (key,) = [key async for key in parts.vault.keys(made.TENANT)]
            address = await parts.vault.presign(key, _LINK)
            assert address
            return address

    async def _announce(self, sids: Sequence[str], duration_s: float) -> list[str]:
        async with open_parts(self.settings) as parts:
            found = [await parts.store.record(notice(sid, duration_s), actor="benchmark") for sid in sids]
            return [_path(parts, one.recording, ANY_ATTEMPT) for one in found]

    async def _keep(self, file: Path, size: int, sha256: str) -> str:
        async with open_parts(self.settings) as parts:
            found = await parts.store.record(notice(made.sid(1, size), None), actor="benchmark")
            claimed = await parts.store.claim(found.recording.id, actor="benchmark")
            assert claimed
            key = vault_key(claimed.tenant_id, claimed.id, claimed.attempt, "wav")
            await parts.vault.put(key, file)
            kept = Kept(key, sha256, size, "audio/wav", 2, made.RATE, size / 4 / made.RATE, True)
            ready = await parts.store.keep(claimed.id, claimed.attempt, kept, actor="benchmark")
            assert ready
            return _path(parts, ready, ready.attempt)


@contextmanager
def installation(
    folder: Path, provider: str = "http://127.0.0.1:1", *, worker: bool = False, more: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """Run one whose provider is at that address, until the block ends; *more* are other settings."""
    with ExitStack() as stack:
        server = stack.enter_context(valkey())
        settings = Settings.read(
            {}, data=folder / "data", valkey_url=server.url, log_level="error", port=0, **(more or {})
        )
        configure_logging(level=settings.log_level, form="json")  # what is printed here are figures
        asyncio.run(_prepare(settings, provider))
        command, environment = [sys.executable, "-m", "callspool.cli"], settings.as_environment()
        api, line = stack.enter_context(running([*command, "serve"], environment))
        pids = [server.pid, api]
        if worker:
            pids.append(stack.enter_context(running([*command, "worker"], environment, has_line=False))[0])
        yield Installation(settings, int(line.rpartition(":")[2]), tuple(pids))


async def _prepare(settings: Settings, provider: str) -> None:
    async with open_parts(settings) as parts:
        await prepare(parts, provider)


async def prepare(parts: Parts, provider: str) -> None:
    """Add a tenant and an account, with room for all that is measured."""
    await parts.producer.open()
    await parts.store.add_tenant(replace(Tenant(made.TENANT, "Tenant"), slots=_SLOTS))
    await parts.store.add_account(replace(made.account(provider), limit=_SLOTS))
    await make_reconciler(parts).push_limits()


def notice(sid: str, duration_s: float | None) -> Notice:
    """Return what the provider says of a finished recording with two channels."""
    return Notice(AccountId("main"), made.TENANT, sid, None, ProviderStatus.COMPLETED, duration_s, channels=2)


def _path(parts: Parts, recording: Recording, attempt: int) -> str:
    grant = Grant(recording.tenant_id, recording.id, attempt, parts.clock.now() + _LINK)
    return f"/api/recordings/{recording.id}/audio?token={Links(parts.secret_key).sign(grant)}"
