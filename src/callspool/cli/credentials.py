"""What commands take of an account's credentials, and how: secrets are typed, piped in, or of the environment.

On a command line a secret stands in the shell's history and in every process list.
"""

import re
import sys
from dataclasses import replace
from typing import Annotated, Final

import typer

from callspool.domain.errors import InvalidInput
from callspool.domain.tenant import Account
from callspool.providers.profile import Profile
from callspool.wiring import PROFILES

ASK: Final = "-"
"""Given as a secret: it is typed, or piped in, a line each."""

Token = Annotated[
    str | None,
    typer.Option(
        help="Auth token, or API key of Telnyx. Better not on the command line: '-' to type it, or to pipe it in.",
        envvar="TWILIO_AUTH_TOKEN",
        show_envvar=True,
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        help="Twilio: what signs in instead of the SID and token: an API key (SK…), or, for a subaccount, the parent's "
        "SID (AC…). Its secret is asked for. '' removes it."
    ),
]
ApiSecret = Annotated[
    str | None,
    typer.Option(
        help="The API key's secret, or the parent's token. Better not on the command line: leave it out to type it, or "
        "to pipe it in.",
        envvar="TWILIO_API_SECRET",
        show_envvar=True,
    ),
]
SigningKey = Annotated[
    str | None,
    typer.Option(
        help="What signs the account's webhooks. Telnyx: the public key. SignalWire: the signing key. Twilio: a shared "
        "key, where they are signed with SHA-256; else the auth token does. '-' to type it, or to pipe it in; '' "
        "removes it."
    ),
]
BaseUrl = Annotated[
    str | None, typer.Option(help="The API's address, where it is not the usual one: a SignalWire space, a proxy.")
]
Region = Annotated[str, typer.Option(help="Twilio: the region where the account's recordings are, such as ie1.")]
Edge = Annotated[str, typer.Option(help="Twilio: where its network is entered, such as dublin.")]
MediaHost = Annotated[
    str | None,
    typer.Option(
        help="Twilio: the host of your own bucket, where recordings are stored there; such as "
        "calls.s3.eu-west-1.amazonaws.com. '' removes it."
    ),
]

_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


def profile_of(provider: str) -> Profile:
    """Return what is known of a provider. Raises `InvalidInput`."""
    if provider not in PROFILES:
        raise InvalidInput("provider", f"'{provider}' is not known. There are: {', '.join(PROFILES)}.")
    return PROFILES[provider]


def read_secret(given: str | None, words: str, field: str, hint: str = "") -> str:
    """Return a secret that was given, or have it typed or piped in. Raises `InvalidInput` where it is empty."""
    if given is None or given == ASK:
        given = typer.prompt(words, hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    secret = str(given).strip()
    if not secret:
        raise InvalidInput(field, f"The {words} is empty. Pipe it in{hint}.")
    return secret


def with_api_key(account: Account, profile: Profile, api_key: str | None, api_secret: str | None) -> Account:
    """Return the account with another API key, or without one (''), or as it is. Raises `InvalidInput`."""
    if api_key is None:
        return account
    if not api_key:
        return replace(account, api_key=None, api_secret=None)
    if profile.key is None or not profile.key.fullmatch(api_key):
        raise InvalidInput("api-key", f"'{api_key}' is not what {profile.title} has: {profile.key_words}.")
    words = f"secret of {api_key}"
    return replace(
        account,
        api_key=api_key,
        api_secret=read_secret(api_secret, words, "api-secret", ", or set TWILIO_API_SECRET"),
    )


def with_signing_key(account: Account, signing_key: str | None) -> Account:
    """Return the account with another key for signatures beside the one before, or without any (''), or as it is."""
    if signing_key == "":
        return replace(account, signing_key=None, previous_signing_key=None)
    if signing_key is None:
        return account
    return account.rotated(signing_key=read_secret(signing_key, "signing key", "signing-key"))


def address_of(profile: Profile, base_url: str | None, region: str, edge: str) -> str:
    """Return where the API is: as given, or a region's, or '' where neither was said. Raises `InvalidInput`."""
    if not region and not edge:
        return base_url or ""
    if base_url:
        raise InvalidInput("base-url", "Give --base-url, or --region and --edge.")
    if profile.regional is None:
        raise InvalidInput("region", f"{profile.title} has no regions: leave --region and --edge out.")
    return profile.regional(region, edge)


def checked(account: Account, profile: Profile) -> Account:
    """Return the account, or raise `InvalidInput` naming what its provider needs."""
    if profile.sid is not None and not profile.sid.fullmatch(account.account_sid):
        raise InvalidInput("sid", f"'{account.account_sid}' is not what {profile.title} has: {profile.sid_words}.")
    if profile.sid is None and account.account_sid:
        raise InvalidInput("sid", f"{profile.title} has no account id: leave --sid out.")
    if not account.base_url.startswith(("https://", "http://")):
        raise InvalidInput("base-url", f"'{account.base_url}' is not an address: begin with https://.")
    if account.media_host is not None and not _HOST.fullmatch(account.media_host):
        raise InvalidInput("media-host", f"'{account.media_host}' is not a host, such as calls.s3.amazonaws.com.")
    if profile.needs_signing_key and not account.signing_key:
        raise InvalidInput("signing-key", f"{profile.title} needs --signing-key: {profile.signing_key}.")
    return account
