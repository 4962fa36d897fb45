"""``callspool doctor``: is everything that callspool needs there and right? What to do where it is not."""

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import typer

from callspool.cli.console import out, print_json
from callspool.cli.context import Data, Json, read_settings, run
from callspool.domain.errors import CallspoolError
from callspool.wiring import Parts

_LEAST_VALKEY = 7
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: ``ok``, ``warning`` or ``error``, what was seen, and what to do."""

    check: str
    level: str
    seen: str
    do: str = ""


def doctor(data: Data = None, json: Json = False) -> None:
    """Check data folder, store, Valkey, vault, disk, public address and accounts."""
    findings = run(read_settings(data), _examine)
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        marks = {"ok": "[green]ok     [/]", "warning": "[yellow]warning[/]", "error": "[red]error  [/]"}
        for one in findings:
            out.print(f"{marks[one.level]} {one.check}: {one.seen}")
            if one.do:
                out.print(f"        → {one.do}")
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


async def _examine(parts: Parts) -> list[Finding]:
    checks: list[tuple[str, Callable[[Parts], Awaitable[Finding]]]] = [
        ("store", _store),
        ("valkey", _valkey),
        ("vault", _vault),
        ("disk", _disk),
        ("public address", _public_url),
        ("accounts", _accounts),
    ]
    findings = []
    for name, check in checks:
        try:
            findings.append(await check(parts))
        except CallspoolError as error:
            todo = "Start it with 'callspool up', or set CALLSPOOL_VALKEY_URL." if name == "valkey" else "See above."
            findings.append(Finding(name, "error", str(error), todo))
    return findings


async def _store(parts: Parts) -> Finding:
    await parts.store.ping()
    return Finding("store", "ok", "reads and writes")


async def _valkey(parts: Parts) -> Finding:
    health = await parts.functions.health()
    seen = (
        f"version {health.version}, append-only file {'on' if health.append_only else 'off'}, "
        f"eviction {health.eviction}, round trip {health.round_trip.total_seconds() * 1000:.1f} ms"
    )
    if int(health.version.split(".")[0]) < _LEAST_VALKEY:
        return Finding("valkey", "error", seen, "Use Valkey 8 or newer (or Redis 7 or newer): it needs functions.")
    if health.eviction != "noeviction":
        return Finding("valkey", "error", seen, "Set maxmemory-policy noeviction: an evicted key is a forgotten job.")
    if not health.append_only:
        return Finding("valkey", "warning", seen, "Set appendonly yes, so that a restart does not cost a rebuild.")
    return Finding("valkey", "ok", seen)


async def _vault(parts: Parts) -> Finding:
    await parts.vault.ping()
    if parts.vault.advice:
        return Finding("vault", "warning", "writes, reads and deletes", parts.vault.advice)
    return Finding("vault", "ok", "writes, reads and deletes")


async def _disk(parts: Parts) -> Finding:
    free = shutil.disk_usage(parts.settings.data).free
    seen = f"{free / _GIB:.1f} GiB free at {parts.settings.data.absolute()}"
    if free < parts.settings.spool_reserve:
        return Finding("disk", "error", seen, "Free some space: below 'spool_reserve' workers claim nothing.")
    return Finding("disk", "ok" if free > _GIB else "warning", seen, "" if free > _GIB else "Free some space soon.")


async def _public_url(parts: Parts) -> Finding:
    url = urlsplit(parts.settings.public_url)
    if url.scheme not in {"http", "https"} or not url.hostname:
        return Finding(
            "public address", "error", parts.settings.public_url, "Set CALLSPOOL_PUBLIC_URL to https://your.host"
        )
    if url.hostname in {"127.0.0.1", "localhost", "::1"}:
        todo = "Providers cannot reach it. Set CALLSPOOL_PUBLIC_URL to the address that you give to Twilio."
        return Finding("public address", "warning", parts.settings.public_url, todo)
    if url.scheme == "http":
        return Finding("public address", "warning", parts.settings.public_url, "Use https: recordings are private.")
    return Finding("public address", "ok", parts.settings.public_url)


async def _accounts(parts: Parts) -> Finding:
    accounts = await parts.store.accounts()
    if not accounts:
        return Finding("accounts", "warning", "none", "callspool accounts add NAME --sid AC… --tenant TENANT")
    return Finding("accounts", "ok", ", ".join(account.id for account in accounts))
