"""``callspool keys``: who may use the API."""

from dataclasses import asdict
from typing import Annotated

import typer

from callspool.cli.console import masked, out, print_json, print_table
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.domain.ids import TenantId
from callspool.wiring import add_key

app = typer.Typer(help="API keys. Only their hash is kept.", no_args_is_help=True)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    tenant: Annotated[str | None, typer.Option(help="Bind it to a tenant. Without: the operator's.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a key and show it once."""
    key, text = run(
        read_settings(data), lambda parts: add_key(parts, TenantId(tenant) if tenant else None, name, by=by_hand())
    )
    if json:
        print_json({**masked(asdict(key)), "key": text})
        return
    out.print(f"{text}\nThis is the only time that it is shown. Its id is {key.id}.")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the keys by their public ids."""
    keys = run(read_settings(data), lambda parts: parts.store.keys())
    if json:
        print_json([masked(asdict(key)) for key in keys])
        return
    rows = [(one.id, one.name, one.tenant_id or "operator", one.created_at, one.revoked_at or "in use") for one in keys]
    print_table("API keys", ("key", "name", "of", "made", "revoked"), rows)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="KEY_ID")], data: Data = None, json: Json = False) -> None:
    """Let a key be refused from now on."""
    key = run(read_settings(data), lambda parts: parts.store.revoke_key(key_id, by=by_hand()))
    print_json(masked(asdict(key))) if json else out.print(f"Key {key.id} is revoked.")
