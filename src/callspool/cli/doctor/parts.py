"""Our own parts: store, Valkey, vault and disk."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from callspool.cli.doctor.finding import Finding
from callspool.domain.errors import OtherLayout
from callspool.wiring import Parts

_LEAST_VALKEY = 7
_GIB = 1 << 30


async def store(parts: Parts) -> Sequence[Finding]:
    """Write and read. Its schema is current: opening it brought it there, or failed."""
    await parts.store.ping()
    return [Finding("store", "ok", "reads and writes, its schema is current")]


async def valkey(parts: Parts) -> Sequence[Finding]:
    """Look at its version, its settings, and that our functions run."""
    health = await parts.functions.health()
    seen = (
        f"version {health.version}, append-only file {'on' if health.append_only else 'off'}, "
        f"eviction {health.eviction}, round trip {health.round_trip.total_seconds() * 1000:.1f} ms"
    )
    if int(health.version.split(".")[0]) < _LEAST_VALKEY:
        return [Finding("valkey", "error", seen, "Use Valkey 8 or newer (or Redis 7 or newer): it needs functions.")]
    with suppress(OtherLayout):  # which is told by itself
        await parts.producer.epoch()
    seen += ", functions run"
    if health.eviction != "noeviction":
        return [Finding("valkey", "error", seen, "Set maxmemory-policy noeviction: an evicted key is a forgotten job.")]
    if not health.append_only:
        return [Finding("valkey", "warning", seen, "Set appendonly yes, so that a restart does not cost a rebuild.")]
    return [Finding("valkey", "ok", seen)]


async def shards(parts: Parts) -> Sequence[Finding]:
    """Compare the number of shards with that of those who are at work."""
    in_force, mine = await parts.producer.layout(), parts.settings.shards
    if in_force == mine:
        return [Finding("shards", "ok", f"{mine}, as all work with")]
    if not in_force:
        return [Finding("shards", "ok", f"{mine}; none is written yet, the next process that starts does")]
    return [
        Finding(
            "shards",
            "error",
            f"CALLSPOOL_SHARDS is {mine}, but this Valkey works with {in_force}: with {mine} nothing is granted",
            f"Set CALLSPOOL_SHARDS={in_force}; or run 'callspool drain' with it, then start everything with {mine}.",
        )
    ]


async def vault(parts: Parts) -> Sequence[Finding]:
    """Write, read and delete."""
    await parts.vault.ping()
    if parts.vault.advice:
        return [Finding("vault", "warning", "writes, reads and deletes", parts.vault.advice)]
    return [Finding("vault", "ok", "writes, reads and deletes")]


async def disk(parts: Parts) -> Sequence[Finding]:
    """Look at the space of spool and vault; once where both are one disk."""
    settings = parts.settings
    folders = {"spool": settings.data}
    if not settings.vault_url and settings.vault.exists():
        folders["vault"] = settings.vault
    devices = {name: folder.stat().st_dev for name, folder in folders.items()}
    if len(set(devices.values())) == 1:
        folders = {"disk": settings.data}
    return [_space(name, folder, settings.spool_reserve) for name, folder in folders.items()]


def _space(name: str, folder: Path, reserve: int) -> Finding:
    free = shutil.disk_usage(folder).free
    seen = f"{free / _GIB:.1f} GiB free at {folder.absolute()}"
    if free < reserve:
        return Finding(name, "error", seen, "Free some space: below CALLSPOOL_SPOOL_RESERVE workers claim nothing.")
    return Finding(name, "ok" if free > _GIB else "warning", seen, "" if free > _GIB else "Free some space soon.")
