"""``callspool accounts add-key|remove-key``: what decrypts an account's recordings."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from callspool.cli.account_views import shown
from callspool.cli.console import out, print_json
from callspool.cli.context import Data, Json, by_hand, read_settings, run
from callspool.domain.errors import InvalidInput
from callspool.domain.ids import AccountId
from callspool.domain.tenant import Account, PrivateKey
from callspool.wiring import Parts

_KEY_SID: Final = re.compile(r"CR[0-9a-f]{32}")


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
