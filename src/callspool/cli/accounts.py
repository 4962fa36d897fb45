"""``callspool accounts``: provider credentials and what holds for them."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated, Final

import typer

from callspool.cli import private_keys
from callspool.cli.account_views import shown, webhook_url
from callspool.cli.console import err, out, print_json, print_table
from callspool.cli.context import Data, Json, by_hand, read_running, run
from callspool.cli.credentials import (
    ApiKey,
    ApiSecret,
    BaseUrl,
    Edge,
    MediaHost,
    Region,
    SigningKey,
    Token,
    address_of,
    checked,
    profile_of,
    read_secret,
    with_api_key,
    with_signing_key,
)
from callspool.cli.folder import is_loopback
from callspool.cli.tenants import checked_name
from callspool.domain.errors import InvalidInput, SchedulerUnavailable
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.ports.provider import Discovers, Subaccount
from callspool.domain.tenant import Account, MediaFormat
from callspool.wiring import Parts

app = typer.Typer(help="Accounts: provider credentials and their limits.", no_args_is_help=True)
app.command("add-key")(private_keys.add_key)
app.command("remove-key")(private_keys.remove_key)

_OR_TOKEN: Final = ", or set TWILIO_AUTH_TOKEN"  # noqa: S105 - its name, not its value

Format = Annotated[
    MediaFormat | None,
    typer.Option(help="What to ask for first; what the provider does not have is asked for in the next form."),
]
DeleteAfterKeep = Annotated[
    bool | None,
    typer.Option(
        "--delete-after-keep/--keep-at-provider",
        help="Delete at the provider what is kept from now on, once the vault gave it back whole. Never what is held.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=0, max=10_000, help="Most downloads at once over all its tenants.")]


async def push(parts: Parts, account: Account) -> None:
    """Let a limit take effect at once; without Valkey, at the next start or reconciliation."""
    try:
        await parts.producer.set_pool(account.id, limit=account.limit, paused=account.paused)
    except SchedulerUnavailable:
        err.print("Saved. Valkey is not running now; the limits take effect when it is.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its id, as it stands in the webhook's address.")],
    tenant: Annotated[str, typer.Option(help="The tenant whose recordings these are by default.")],
    sid: Annotated[
        str, typer.Option(help="The provider's id of it. Twilio: AC and 32 hex digits. SignalWire: the project's UUID.")
    ] = "",
    provider: Annotated[str, typer.Option(help="twilio, signalwire or telnyx.")] = "twilio",
    by_number: Annotated[
        bool,
        typer.Option(
            "--by-number",
            help="Find tenants by 'callspool tenants numbers'. TENANT, paused, is where unknown ones wait.",
        ),
    ] = False,
    token: Token = None,
    api_key: ApiKey = None,
    api_secret: ApiSecret = None,
    signing_key: SigningKey = None,
    limit: Limit = None,
    media_format: Format = None,
    base_url: BaseUrl = None,
    delete_after_keep: DeleteAfterKeep = None,
    region: Region = "",
    edge: Edge = "",
    media_host: MediaHost = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Add an account. What is piped in is read a line each: signing key ('-'), token, the API key's secret."""
    settings = read_running(data)
    checked_name("account", name)
    profile = profile_of(provider)
    address = address_of(profile, base_url, region, edge) or profile.base_url
    account = Account(AccountId(name), provider, TenantId(tenant), sid, "", base_url=address)
    account = checked(with_signing_key(replace(account, media_host=media_host or None), signing_key), profile)
    account = replace(
        account,
        auth_token=read_secret(token, profile.secret, "token", _OR_TOKEN),
        by_number=by_number,
        delete_after_keep=bool(delete_after_keep),
        limit=account.limit if limit is None else limit,
        media_format=media_format or account.media_format,
    )
    account = with_api_key(account, profile, api_key, api_secret)

    async def work(parts: Parts) -> None:
        await _check_tenant(parts, account)
        await parts.store.add_account(account, by=by_hand())
        await push(parts, account)

    run(settings, work, may_create=True)
    if json:
        print_json(shown(account, settings))
        return
    out.print(f"Account {name} added. {profile.setup}\n  {webhook_url(settings, account)}")
    if is_loopback(settings.public_url):
        err.print("No provider can reach that address: set CALLSPOOL_PUBLIC_URL to one that leads here from outside.")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the accounts, without their secrets."""
    settings = read_running(data)
    accounts = run(settings, lambda parts: parts.store.accounts())
    if json:
        print_json([shown(one, settings) for one in accounts])
        return
    columns = ("account", "provider", "sid", "default tenant", "limit", "paused", "webhook")
    rows = [
        (
            *(one.id, one.provider, one.account_sid, one.default_tenant, one.limit, "yes" if one.paused else "no"),
            webhook_url(settings, one),
        )
        for one in accounts
    ]
    print_table("Accounts", columns, rows) if rows else out.print("No accounts yet: callspool accounts add NAME …")


@app.command("set")
def set_(
    name: Annotated[str, typer.Argument()],
    tenant: Annotated[str | None, typer.Option(help="The tenant whose its recordings are from now on.")] = None,
    by_number: Annotated[
        bool | None, typer.Option("--by-number/--one-tenant", help="Find tenants by phone number, or no more.")
    ] = None,
    token: Token = None,
    api_key: ApiKey = None,
    api_secret: ApiSecret = None,
    signing_key: SigningKey = None,
    forget_old: Annotated[
        bool, typer.Option("--forget-old", help="End a rotation: only the newest token and signing key count.")
    ] = False,
    limit: Limit = None,
    media_format: Format = None,
    base_url: BaseUrl = None,
    delete_after_keep: DeleteAfterKeep = None,
    region: Region = "",
    edge: Edge = "",
    media_host: MediaHost = None,
    pause: Annotated[bool | None, typer.Option("--pause/--resume", help="Start no more downloads, or again.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Change an account. An old token or signing key stays valid in signatures until --forget-old, or the next one."""

    async def work(parts: Parts) -> Account:
        account = await parts.store.account(AccountId(name))
        profile = profile_of(account.provider)
        changed = with_signing_key(account, signing_key)
        if token is not None:
            changed = changed.rotated(auth_token=read_secret(token, profile.secret, "token", _OR_TOKEN))
        changed = with_api_key(changed, profile, api_key, api_secret)
        changed = replace(
            changed.without_previous() if forget_old else changed,
            default_tenant=TenantId(tenant) if tenant else account.default_tenant,
            by_number=account.by_number if by_number is None else by_number,
            limit=account.limit if limit is None else limit,
            paused=account.paused if pause is None else pause,
            media_format=media_format or account.media_format,
            delete_after_keep=account.delete_after_keep if delete_after_keep is None else delete_after_keep,
            base_url=address_of(profile, base_url, region, edge) or account.base_url,
            media_host=account.media_host if media_host is None else media_host or None,
        )
        checked(changed, profile)
        if tenant or by_number:
            await _check_tenant(parts, changed)
        await parts.store.set_account(changed, by=by_hand())
        await push(parts, changed)
        return changed

    settings = read_running(data)
    account = run(settings, work)
    state = "paused" if account.paused else f"limit {account.limit}"
    print_json(shown(account, settings)) if json else out.print(f"Account {name}: {state}.")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The account.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Remove an account that has no recordings. One that has is needed by them, and can be paused."""

    async def work(parts: Parts) -> None:
        await parts.store.remove_account(AccountId(name), by=by_hand())

    run(read_running(data), work)
    print_json({"removed": name}) if json else out.print(f"Account {name} is removed; its webhooks are refused.")


@app.command()
def discover(
    name: Annotated[str, typer.Argument(help="The account whose subaccounts are listed.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """List the subaccounts that an account has at its provider, and say how to add those that are not here."""

    async def work(parts: Parts) -> tuple[Account, Sequence[Subaccount], dict[str, str]]:
        account = await parts.store.account(AccountId(name))
        provider = parts.providers[account.provider]
        if not isinstance(provider, Discovers):
            raise InvalidInput(
                "account", f"{profile_of(account.provider).title} has no subaccounts that can be listed."
            )
        here = {one.account_sid: str(one.id) for one in await parts.store.accounts()}
        return account, await provider.subaccounts(account), here

    account, found, here = run(read_running(data), work)
    if json:
        print_json([{**asdict(one), "account": here.get(one.sid)} for one in found])
        return
    rows = [(one.sid, one.name, one.status, here.get(one.sid)) for one in found]
    print_table(f"Subaccounts of {name}", ("sid", "name", "status", "account"), rows) if rows else out.print("None.")
    if any(one.sid not in here for one in found):
        out.print(
            f"To add one: callspool accounts add NAME --tenant TENANT --sid SID --api-key {account.account_sid}\n"
            f"Asked for are its own auth token, which signs its webhooks, and that of {account.account_sid}."
        )


async def _check_tenant(parts: Parts, account: Account) -> None:
    """Raise `InvalidInput` where what waits under the default tenant would be fetched for it."""
    if account.by_number and not (await parts.store.tenant(account.default_tenant)).paused:
        raise InvalidInput(
            "tenant", f"{account.default_tenant} is not paused: what waits there would be fetched for it."
        )
