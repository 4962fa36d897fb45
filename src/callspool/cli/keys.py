"""``callspool keys``: who may use the API."""

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

from callspool.cli.console import masked, out, print_json, print_table
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.domain.errors import InvalidInput
from callspool.domain.ids import TenantId
from callspool.domain.tenant import ApiKey, Scope
from callspool.wiring import Parts, add_key

app = typer.Typer(help="API keys. Only their hash is kept.", no_args_is_help=True)

_SPAN: Final = re.compile(r"([1-9][0-9]{0,4})([dh])")
_UNITS: Final = {"d": timedelta(days=1), "h": timedelta(hours=1)}


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    tenant: Annotated[str | None, typer.Option(help="Bind it to a tenant. Without: the operator's.")] = None,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="What it may do; may be repeated. Without: all. None includes another.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it ends: 90d, 12h, or a date like 2027-01-31 (UTC).")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a key and show it once."""

    async def work(parts: Parts) -> tuple[ApiKey, str]:
        return await add_key(
            parts,
            TenantId(tenant) if tenant else None,
            name,
            scopes=frozenset(scope or Scope),
            expires_at=None if expires is None else _end(expires, parts.clock.now()),
            by=by_hand(),
        )

    key, text = run(read_settings(data), work, may_create=True)
    if json:
        print_json({**_shown(key), "key": text})
        return
    out.print(f"{text}\nThis is the only time that it is shown. Its id is {key.id}.")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the keys by their public ids."""
    keys = run(read_settings(data), lambda parts: parts.store.keys())
    if json:
        print_json([_shown(key) for key in keys])
        return
    rows = [
        (
            *(one.id, one.name, one.tenant_id or "operator", " ".join(sorted(one.scopes)), one.created_at),
            *(one.expires_at or "never", one.revoked_at or "in use"),
        )
        for one in keys
    ]
    columns = ("key", "name", "of", "may", "made", "ends", "revoked")
    print_table("API keys", columns, rows) if rows else out.print("No keys yet: callspool keys add NAME")


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="KEY_ID")], data: Data = None, json: Json = False) -> None:
    """Let a key be refused from now on."""
    key = run(read_settings(data), lambda parts: parts.store.revoke_key(key_id, by=by_hand()))
    print_json(_shown(key)) if json else out.print(f"Key {key.id} is revoked.")


def _end(text: str, now: datetime) -> datetime:
    """Return when a key ends that was asked for in a person's words."""
    if found := _SPAN.fullmatch(text):
        return now + int(found[1]) * _UNITS[found[2]]
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("expires", f"'{text}' is no time: give 90d, 12h, or a date like 2027-01-31.") from None
    return end if end.tzinfo else end.replace(tzinfo=UTC)


def _shown(key: ApiKey) -> dict[str, object]:
    return {**masked(asdict(key)), "scopes": sorted(key.scopes)}
