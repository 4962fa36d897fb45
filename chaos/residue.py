"""Looks at what a system holds on to."""

from pathlib import Path
from typing import Final

import valkey.asyncio

from chaos.evidence import Residue
from chaos.system import System

_OF_WORK: Final = ("job:", "line:", "lines:", "off:", "held:", "leases", "due", "full", "ring")
"""How the names of Valkey's keys begin, after the shard's, that stand for work that is there."""
_PAGE: Final = 4096


async def look(running: System) -> Residue:
    """Count all of it."""
    folders = {name: Path(f"/proc/{pid}") for name, pid in running.pids().items()}
    spool = running.parts.settings.spool
    return Residue(
        descriptors={name: sum(1 for _ in (folder / "fd").iterdir()) for name, folder in folders.items()},
        memory={name: int((folder / "statm").read_text().split()[1]) * _PAGE for name, folder in folders.items()},
        spool_bytes=sum(file.stat().st_size for file in spool.rglob("*") if file.is_file()),
        keys=await _keys(running),
    )


async def _keys(running: System) -> tuple[str, ...]:
    prefix = running.parts.functions.keys.prefix
    client = valkey.asyncio.Valkey.from_url(running.valkey.url)
    try:
        names = [name.decode() async for name in client.scan_iter(f"{_literal(prefix)}*")]
    finally:
        await client.aclose()
    return tuple(sorted(name for name in names if name.removeprefix(prefix).startswith(_OF_WORK)))


def _literal(text: str) -> str:
    return "".join(f"\\{one}" if one in "*?[]\\" else one for one in text)
