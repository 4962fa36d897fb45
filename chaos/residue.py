"""Looks at what a system holds on to."""

from collections import Counter
from collections.abc import Mapping
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
    processes = running.named()
    folders = {name: Path(f"/proc/{one.process.pid}") for name, one in processes.items()}
    provider = int(running.simulator.url.rsplit(":", 1)[1])
    parts = {
        name: {provider: "provider", **{proxy.port: part for part, proxy in one.proxies.items()}}
        for name, one in processes.items()
    }
    spool = running.parts.settings.spool
    return Residue(
        descriptors={name: _descriptors(folder, parts[name]) for name, folder in folders.items()},
        memory={name: int((folder / "statm").read_text().split()[1]) * _PAGE for name, folder in folders.items()},
        spool_bytes=sum(file.stat().st_size for file in spool.rglob("*") if file.is_file()),
        keys=await _keys(running),
    )


def _descriptors(process: Path, parts: Mapping[int, str]) -> Mapping[str, int]:
    """Count a process's open files by their kind: the connections to each part (those to SQLite are files), others."""
    _, *lines = (process / "net" / "tcp").read_text().splitlines()
    sockets = {fields[9]: int(fields[2].split(":")[1], 16) for fields in map(str.split, lines)}
    counts: Counter[str] = Counter()
    for descriptor in (process / "fd").iterdir():
        try:
            target = descriptor.readlink().name
        except FileNotFoundError:  # closed while we looked
            continue
        kind, _, number = target.partition(":")
        if target.startswith("callspool.db"):
            counts["connections to the store"] += 1
        elif (port := sockets.get(number.strip("[]"))) in parts:
            counts[f"connections to the {parts[port]}"] += 1
        else:
            counts[f"{kind if number else 'file'}s"] += 1
    return counts


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
