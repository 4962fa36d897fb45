"""The data folder, as commands find it: whether there is a callspool in it, and the address at which that answers."""

import contextlib
import os
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from callspool.domain.errors import Misconfigured
from callspool.settings import Settings

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_ADDRESS: Final = "address"


def require(settings: Settings) -> None:
    """Raise `Misconfigured` where there is no callspool yet: a mistyped folder must not become a new one."""
    if not settings.database_url:
        first = settings.data / "callspool.db"
    elif settings.database_url.startswith("sqlite:///"):
        first = Path(unquote(urlsplit(settings.database_url).path).removeprefix("/"))
    else:
        first = settings.secret_key_file or settings.data / "secret.key"
    if not first.exists():
        raise Misconfigured(
            f"There is no callspool in {settings.data.absolute()}: {first.name} is not there. Check --data or "
            "CALLSPOOL_DATA; 'callspool up' makes a new one."
        )


def publish(settings: Settings) -> None:
    """Leave the address for commands that know the folder only; where that cannot be, they take the default."""
    with contextlib.suppress(OSError):
        new = settings.data / f".{_ADDRESS}.{os.getpid()}"
        new.write_text(settings.public_url + "\n")
        new.replace(settings.data / _ADDRESS)


def as_published(settings: Settings) -> Settings:
    """Return the settings with the address that `publish` left, unless another one is set."""
    if settings.public_url != Settings.model_fields["public_url"].default:
        return settings
    try:
        address = (settings.data / _ADDRESS).read_text().strip()
        return Settings.read({}, **{**dict(settings), "public_url": address})
    except (OSError, Misconfigured):
        return settings


def is_loopback(url: str) -> bool:
    """Say whether only this machine can reach it."""
    return urlsplit(url).hostname in LOOPBACK
