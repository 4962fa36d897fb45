"""Where Valkey is: one server, or a cluster that any of its nodes tells of."""

import os
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

_CLUSTERS: Final[Mapping[str, str]] = {"valkey+cluster": "valkey", "valkeys+cluster": "valkeys"}
"""How an address that leads to a cluster begins, and one of a node alone. With an s: by TLS."""

_SERVERS: Final = frozenset({"valkey", "valkeys", "redis", "rediss"})
_TLS: Final = frozenset({"valkeys", "rediss"})
_CHECK: Final = "ssl_check_hostname"
_FILES: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_OPTIONS: Final = _FILES | {_CHECK, "ssl_cert_reqs", "db"}
"""What may stand behind an address; valkey-py says what each means."""

_PARTS: Final = re.compile(r"(?P<scheme>[^:]*)://(?P<user>[^/?]*@)?(?P<nodes>[^/?]*)(?P<rest>.*)", re.DOTALL)


def checked(url: str) -> str:
    """Return an address as it was given, or none. Raises `ValueError`, which says what is wrong with it."""
    if url and not all(_is_node(node) for node in nodes(url)):
        raise ValueError(
            "it must be valkey://host:port/0, valkey+cluster://host:port,host:port, either with valkeys for TLS, "
            "or unix:///path"
        )
    parts = urlsplit(url)
    if is_cluster(url) and parts.path not in {"", "/", "/0"}:
        raise ValueError(f"a cluster has only database 0: {parts.path} is none")
    for name, value in parse_qsl(parts.query):
        if name not in _OPTIONS:
            raise ValueError(f"{name} is no option; there are {', '.join(sorted(_OPTIONS))}")
        if name in _FILES and not os.access(value, os.R_OK):
            raise ValueError(f"{name}={value} names no file that can be read")
    return url


def _is_node(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # it is no number, or too large a one
        return False
    if parts.scheme == "unix":
        return bool(parts.path)
    return parts.scheme in _SERVERS and bool(parts.hostname) and port != 0


def is_cluster(url: str) -> bool:
    """Say whether an address leads to a cluster."""
    return url.partition("://")[0] in _CLUSTERS


def nodes(url: str) -> tuple[str, ...]:
    """Return the addresses of the nodes that are named, in their order; of one server its own. For valkey-py.

    Of a cluster several may be named, `valkey+cluster://user:password@one:6379,two:6379`, so that who comes anew is not
    stopped by one that is away.
    """
    found = _PARTS.fullmatch(url)
    if not found:
        return (url,)
    scheme, user, rest = _CLUSTERS.get(found["scheme"], found["scheme"]), found["user"] or "", found["rest"]
    # By itself valkey-py takes a certificate that is valid for any other host.
    if scheme in _TLS and _CHECK not in rest:
        rest += f"{'&' if '?' in rest else '?'}{_CHECK}=yes"
    named = found["nodes"].split(",") if is_cluster(url) else [found["nodes"]]
    return tuple(f"{scheme}://{user}{node}{rest}" for node in named)
