"""Web origins: which pages may use a tenant's API and audio in a browser. Written as browsers send them."""

import re
from collections.abc import Iterable
from typing import Final

from callspool.domain.errors import InvalidInput

MOST: Final = 20
"""Origins of one tenant."""
LONGEST: Final = 261
"""Characters: a scheme, the longest name that DNS has, and a port."""

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ORIGIN: Final = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]{{2,45}}\])(?P<port>:[1-9][0-9]{{0,4}})?"
)
_USUAL_PORTS: Final = {"https": ":443", "http": ":80"}
_OF_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


def checked_origins(given: Iterable[str]) -> tuple[str, ...]:
    """Return them in the form that browsers send, each once. Raises `InvalidInput` naming the first that is none."""
    found = tuple(dict.fromkeys(_checked(text) for text in given))
    if len(found) > MOST:
        raise InvalidInput("allowed_origins", f"A tenant has {MOST} origins at most; these are {len(found)}.")
    return found


def _checked(text: str) -> str:
    found = _ORIGIN.fullmatch(text.strip().lower()) if len(text) <= LONGEST else None
    port = (found["port"] or "") if found else ""
    if found is None or int(port[1:] or 0) > 65_535:
        raise InvalidInput(
            "allowed_origins",
            f"{text[:LONGEST]!r} is no origin: write https://host or https://host:port, without a path or a slash at "
            "its end; a name with other letters in its xn-- form.",
        )
    scheme, host = found["scheme"], found["host"]
    if scheme == "http" and host not in _OF_THIS_MACHINE and not host.endswith(".localhost"):
        raise InvalidInput("allowed_origins", f"{text!r}: plain http is for this machine only; write https://.")
    return f"{scheme}://{host}{'' if port == _USUAL_PORTS[scheme] else port}"
