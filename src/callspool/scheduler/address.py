"""Where Valkey is: one server, or a cluster that any of its nodes tells of."""

import re
from collections.abc import Mapping
from typing import Final

_CLUSTERS: Final[Mapping[str, str]] = {"valkey+cluster": "valkey", "valkeys+cluster": "valkeys"}
"""How an address that leads to a cluster begins, and one of a node alone. With an s: by TLS."""

_TLS: Final = frozenset({"valkeys", "rediss"})
_CHECK: Final = "ssl_check_hostname"
_PARTS: Final = re.compile(r"(?P<scheme>[^:]*)://(?P<user>[^/?]*@)?(?P<nodes>[^/?]*)(?P<rest>.*)", re.DOTALL)


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
