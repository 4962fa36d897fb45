"""``callspool tenants``: the businesses whose recordings are kept."""

from dataclasses import asdict, replace
from typing import Annotated

import typer

from callspool.cli import numbers
from callspool.cli.console import err, out, print_json, print_table
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.domain.errors import InvalidInput, SchedulerUnavailable
from callspool.domain.ids import TenantId, is_name
from callspool.domain.origins import checked_origins
from callspool.domain.tenant import Tenant
from callspool.wiring import Parts

app = typer.Typer(help="Tenants: their slots, weights and pauses.", no_args_is_help=True)

app.add_typer(numbers.app, name="numbers")

Slots = Annotated[int | None, typer.Option(min=0, max=10_000, help="Most downloads at once.")]
Weight = Annotated[float | None, typer.Option(min=0.01, max=1000, help="Share against other tenants.")]

Retention = Annotated[
    int | None, typer.Option("--keep-days", min=0, max=36_500, help="Purge recordings so long after. 0: for ever.")
]

Origins = Annotated[
    str | None,
    typer.Option(
        "--allowed-origins", help="Web pages that may use its API and audio: origins, comma-separated. '': as for all."
    ),
]


def checked_name(kind: str, name: str) -> str:
    """Return *name* or raise `InvalidInput` saying how a name must be."""
    if not is_name(name):
        raise InvalidInput(
            kind, f"'{name}' cannot name a {kind}: use up to 63 lower-case letters, digits and inner hyphens."
        )
    return name


async def push(parts: Parts, tenant: Tenant) -> None:
    """Let a limit take effect at once; without Valkey, at the next start or reconciliation."""
    try:
        await parts.producer.set_tenant(tenant.id, slots=tenant.slots, weight=tenant.weight, paused=tenant.paused)
    except SchedulerUnavailable:
        err.print("Saved. Valkey is not running now; the limits take effect when it is.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its id: lower case, digits, hyphens.")],
    display: Annotated[str | None, typer.Option("--name", help="Its name for people.")] = None,
    slots: Slots = None,
    weight: Weight = None,
    keep_days: Retention = None,
    allowed_origins: Origins = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Add a tenant."""
    tenant = Tenant(TenantId(checked_name("tenant", name)), display or name)
    tenant = replace(
        tenant,
        slots=tenant.slots if slots is None else slots,
        weight=weight or tenant.weight,
        retention_days=keep_days or None,
        allowed_origins=_origins(allowed_origins or ""),
    )

    async def work(parts: Parts) -> None:
        await parts.store.add_tenant(tenant, by=by_hand())
        await push(parts, tenant)

    run(read_settings(data), work, may_create=True)
    print_json(asdict(tenant)) if json else out.print(f"Tenant {name} added, with {tenant.slots} slots.")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the tenants."""
    tenants = run(read_settings(data), lambda parts: parts.store.tenants())
    if json:
        print_json([asdict(tenant) for tenant in tenants])
        return
    columns = ("tenant", "name", "slots", "weight", "paused", "kept")
    rows = [
        (one.id, one.name, one.slots, one.weight, "yes" if one.paused else "no", _kept(one.retention_days))
        for one in tenants
    ]
    print_table("Tenants", columns, rows) if rows else out.print("No tenants yet: callspool tenants add NAME")


@app.command("set")
def set_(
    name: Annotated[str, typer.Argument()],
    slots: Slots = None,
    weight: Weight = None,
    pause: Annotated[bool | None, typer.Option("--pause/--resume", help="Start no more downloads, or again.")] = None,
    keep_days: Retention = None,
    allowed_origins: Origins = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Change a tenant's limits. They take effect on the next decision."""
    origins = None if allowed_origins is None else _origins(allowed_origins)

    async def work(parts: Parts) -> Tenant:
        tenant = await parts.store.tenant(TenantId(name))
        changed = replace(
            tenant,
            slots=tenant.slots if slots is None else slots,
            weight=weight or tenant.weight,
            paused=tenant.paused if pause is None else pause,
            retention_days=tenant.retention_days if keep_days is None else keep_days or None,
            allowed_origins=tenant.allowed_origins if origins is None else origins,
        )
        await parts.store.set_tenant(changed, by=by_hand())
        await push(parts, changed)
        return changed

    tenant = run(read_settings(data), work)
    state = "paused" if tenant.paused else f"{tenant.slots} slots, weight {tenant.weight:g}"
    kept = f"recordings kept {_kept(tenant.retention_days)}"
    pages = f"; only {', '.join(tenant.allowed_origins)} may use it in a browser" if tenant.allowed_origins else ""
    print_json(asdict(tenant)) if json else out.print(f"Tenant {name}: {state}, {kept}{pages}.")


def _origins(text: str) -> tuple[str, ...]:
    return checked_origins(one for one in text.split(",") if one.strip())


def _kept(days: int | None) -> str:
    return "for ever" if days is None else f"{days} days"
