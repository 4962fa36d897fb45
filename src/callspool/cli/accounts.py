"""``callspool accounts``: provider credentials."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from callspool.cli.console import err, out, print_json, print_table
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.cli.tenants import checked_name
from callspool.domain.errors import InvalidInput, SchedulerUnavailable
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.tenant import Account, MediaFormat, PrivateKey
from callspool.providers.profile import Profile
from callspool.settings import Settings
from callspool.wiring import PROFILES, Parts

app = typer.Typer(help="Accounts: provider credentials and their limits.", no_args_is_help=True)

_KEY_SID = re.compile(r"CR[0-9a-f]{32}")

Token = Annotated[
    str | None,
    typer.Option(
        help="Auth token, or API key. Better not on the command line: leave it out and type it, or pipe it in.",
        envvar="TWILIO_AUTH_TOKEN",
        show_envvar=True,
    ),
]
Format = Annotated[
    MediaFormat | None,
    typer.Option(help="What to ask for first; what the provider does not have is asked for in the next form."),
]
Limit = Annotated[int | None, typer.Option(min=0, max=10_000, help="Most downloads at once over all its tenants.")]


SigningKey = Annotated[
    str | None,
    typer.Option(
        help="What signs the account's webhooks. Telnyx: the public key. SignalWire: the signing key. Twilio: a shared "
        "key, where they are signed with SHA-256; else the auth token does."
    ),
]


def webhook_url(settings: Settings, account: Account) -> str:
    """Return what to enter at the provider."""
    return f"{settings.public_url.rstrip('/')}/webhooks/{account.provider}/{account.id}"


def shown(account: Account, settings: Settings) -> dict[str, Any]:
    """Return what may be shown of an account."""
    return {
        **{name: value for name, value in account.public.items() if name != "private_keys"},
        "private_key_sids": [key.sid for key in account.private_keys],
        "webhook_url": webhook_url(settings, account),
    }


def _token(given: str | None, profile: Profile) -> str:
    token = given
    if token is None:
        token = typer.prompt(profile.secret, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    token = str(token).strip()
    if not token:
        raise InvalidInput("token", f"The {profile.secret} is empty. Pipe it in, or set TWILIO_AUTH_TOKEN.")
    return token


def _profile(provider: str) -> Profile:
    if provider not in PROFILES:
        raise InvalidInput("provider", f"'{provider}' is not known. There are: {', '.join(PROFILES)}.")
    return PROFILES[provider]


def _checked(account: Account, profile: Profile) -> Account:
    """Return the account, or raise `InvalidInput` naming what its provider needs."""
    if profile.sid is not None and not profile.sid.fullmatch(account.account_sid):
        raise InvalidInput("sid", f"'{account.account_sid}' is not what {profile.title} has: {profile.sid_words}.")
    if profile.sid is None and account.account_sid:
        raise InvalidInput("sid", f"{profile.title} has no account id: leave --sid out.")
    if not account.base_url.startswith(("https://", "http://")):
        raise InvalidInput("base-url", f"'{account.base_url}' is not an address: begin with https://.")
    if profile.needs_signing_key and not account.signing_key:
        raise InvalidInput("signing-key", f"{profile.title} needs --signing-key: {profile.signing_key}.")
    return account


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
    signing_key: SigningKey = None,
    limit: Limit = None,
    media_format: Format = None,
    base_url: Annotated[
        str,
        typer.Option(help="The API's address, where it is not the usual one: a region, or a SignalWire space."),
    ] = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Add an account."""
    settings = read_settings(data)
    checked_name("account", name)
    profile = _profile(provider)
    account = Account(AccountId(name), provider, TenantId(tenant), sid, "", base_url=base_url or profile.base_url)
    account = _checked(replace(account, signing_key=signing_key), profile)
    account = replace(
        account,
        auth_token=_token(token, profile),
        by_number=by_number,
        limit=account.limit if limit is None else limit,
        media_format=media_format or account.media_format,
    )

    async def work(parts: Parts) -> None:
        if by_number and not (await parts.store.tenant(account.default_tenant)).paused:
            raise InvalidInput("tenant", f"{tenant} is not paused: what waits there would be fetched for it.")
        await parts.store.add_account(account, by=by_hand())
        await push(parts, account)

    run(settings, work)
    if json:
        print_json(shown(account, settings))
        return
    out.print(f"Account {name} added. {profile.setup}\n  {webhook_url(settings, account)}")


@app.command("list")
def list_(data: Data = None, json: Json = False) -> None:
    """List the accounts, without their secrets."""
    settings = read_settings(data)
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
    token: Token = None,
    signing_key: SigningKey = None,
    limit: Limit = None,
    media_format: Format = None,
    pause: Annotated[bool | None, typer.Option("--pause/--resume", help="Start no more downloads, or again.")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Change an account. The old token stays valid in signatures until the next change."""

    async def work(parts: Parts) -> Account:
        account = await parts.store.account(AccountId(name))
        changed = replace(
            account,
            auth_token=token or account.auth_token,
            previous_auth_token=account.auth_token if token else account.previous_auth_token,
            limit=account.limit if limit is None else limit,
            paused=account.paused if pause is None else pause,
            media_format=media_format or account.media_format,
            signing_key=signing_key or account.signing_key,
        )
        await parts.store.set_account(changed, by=by_hand())
        await push(parts, changed)
        return changed

    settings = read_settings(data)
    account = run(settings, work)
    state = "paused" if account.paused else f"limit {account.limit}"
    print_json(shown(account, settings)) if json else out.print(f"Account {name}: {state}.")


@app.command()
def add_key(
    name: Annotated[str, typer.Argument(help="The account.")],
    sid: Annotated[str, typer.Argument(help="Twilio's id of the public key: CR and 32 hex digits.")],
    file: Annotated[Path, typer.Argument(help="The private key in PEM, without a passphrase.", dir_okay=False)],
    data: Data = None,
    json: Json = False,
) -> None:
    """Add the private key for encrypted recordings. Older keys stay, for recordings that were encrypted with them."""
    if not _KEY_SID.fullmatch(sid):
        raise InvalidInput("sid", f"'{sid}' is not the id of a public key: CR and 32 lower-case hex digits.")
    key = PrivateKey(sid, _private_key(file))
    _change_keys(name, data, json, lambda keys: (*(one for one in keys if one.sid != sid), key))


@app.command()
def remove_key(
    name: Annotated[str, typer.Argument(help="The account.")],
    sid: Annotated[str, typer.Argument(help="Twilio's id of the public key.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Forget a private key. What is encrypted with it cannot be fetched any more."""

    def without(keys: tuple[PrivateKey, ...]) -> tuple[PrivateKey, ...]:
        if sid not in {key.sid for key in keys}:
            raise InvalidInput("sid", f"The account {name} has no private key for '{sid}'.")
        return tuple(key for key in keys if key.sid != sid)

    _change_keys(name, data, json, without)


def _change_keys(
    name: str, data: Path | None, json: bool, change: Callable[[tuple[PrivateKey, ...]], tuple[PrivateKey, ...]]
) -> None:
    async def work(parts: Parts) -> Account:
        account = await parts.store.account(AccountId(name))
        changed = replace(account, private_keys=change(account.private_keys))
        await parts.store.set_account(changed, by=by_hand())
        return changed

    settings = read_settings(data)
    account = run(settings, work)
    sids = ", ".join(key.sid for key in account.private_keys) or "none"
    print_json(shown(account, settings)) if json else out.print(f"Account {name}: private keys for {sids}.")


def _private_key(file: Path) -> str:
    try:
        pem = file.read_bytes()
        if not isinstance(load_pem_private_key(pem, None), rsa.RSAPrivateKey):
            raise ValueError("it is not an RSA key")
    except OSError as error:
        raise InvalidInput("file", f"{file} cannot be read: {error.strerror}.") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = str(error).splitlines()[0][:100]
        raise InvalidInput("file", f"{file} is not a private RSA key in PEM without a passphrase: {reason}.") from None
    return pem.decode("ascii")
