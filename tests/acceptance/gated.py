"""The system on a real PostgreSQL and a real S3, with gates before both for the processes that are watched."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chaos.proxy import Upstream

from callspool.domain.recording import Recording
from tests.acceptance.system import Process, System, system
from tests.fixtures.gate import Gate, gate
from tests.fixtures.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server


@dataclass
class Stage:
    """The system, and the gates of what is watched."""

    system: System
    store: Gate
    vault: Gate
    rescue: Gate
    """The vault's, of the worker that takes over."""
    watched: dict[str, str]
    """The settings that lead through ``store`` and ``vault``."""
    rescuing: dict[str, str]

    async def worker(self, **settings: str) -> Process:
        """Start a worker that is watched."""
        return await self.system.worker(**self.watched, **settings)

    async def files(self, recording: Recording) -> list[str]:
        """Return the names of what the vault has of it, without what is kept beside the audio."""
        keys = [key async for key in self.system.parts.vault.keys(recording.tenant_id, recording.id)]
        return sorted(key.rpartition("/")[2] for key in keys if not key.endswith(".peaks"))

    async def events(self, recording: Recording) -> list[str]:
        """Return what happened to it, in order."""
        return [entry.event.value for entry in await self.system.parts.store.history(None, recording.id)]

    async def is_whole(self, recording: Recording) -> bool:
        """Say whether what the vault has of it is what the provider has."""
        made = self.system.simulator.recordings[recording.provider_recording_id]
        assert recording.kept is not None
        return await self.system.parts.vault.read_all(recording.kept.vault_key) == await self.system.simulator.audio(
            made
        )


@asynccontextmanager
async def staged(folder: Path, database: str, s3: S3Server, prefix: str, **settings: object) -> AsyncIterator[Stage]:
    """Start it, in an empty database and a part of the bucket of its own."""
    where = f"s3://{BUCKET}/{prefix}?endpoint=http://127.0.0.1:"
    keys = {"vault_access_key": ACCESS_KEY, "vault_secret_key": SECRET_KEY}
    path, _, socket_folder = database.partition("?host=")
    async with (
        gate(Upstream(path=f"{socket_folder}/.s.PGSQL.5432")) as store,
        gate(Upstream(port=s3.port)) as vault,
        gate(Upstream(port=s3.port)) as rescue,
        system(folder, database_url=database, vault_url=f"{where}{s3.port}", **keys, **settings) as running,
    ):
        watched = {
            "CALLSPOOL_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{store.port}{urlsplit(path).path}",
            "CALLSPOOL_VAULT_URL": f"{where}{vault.port}",
        }
        yield Stage(running, store, vault, rescue, watched, {"CALLSPOOL_VAULT_URL": f"{where}{rescue.port}"})
