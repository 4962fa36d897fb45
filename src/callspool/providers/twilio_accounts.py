"""Twilio's regions and subaccounts: where an account is, and which others it has."""

import re
from typing import Final
from urllib.parse import urlsplit

from callspool.domain.errors import FetchFailed, InvalidInput
from callspool.domain.ports.provider import Subaccount
from callspool.domain.reasons import Reason
from callspool.providers.dialect import Dialect
from callspool.providers.twilio_list import MOST_OF_A_NAME, checked_cursor

FIRST_QUERY: Final = "PageSize=1000"

_WORD: Final = re.compile(r"[a-z][a-z0-9-]{1,30}")
_STATUS: Final = re.compile(r"[a-z]{1,20}")


def regional(region: str, edge: str) -> str:
    """Return the API's address, as Twilio's SDK builds it: an edge alone is one of the region us1."""
    for name, word in (("region", region), ("edge", edge)):
        if word and _WORD.fullmatch(word) is None:
            raise InvalidInput(name, f"'{word}' is no name of a Twilio {name}, such as {_SUCH_AS[name]}.")
    region = region or ("us1" if edge else "")
    return "https://" + ".".join(part for part in ("api", edge, region, "twilio.com") if part)


_SUCH_AS: Final = {"region": "ie1", "edge": "dublin"}


def read_accounts(dialect: Dialect, document: dict[str, object], own_sid: str) -> tuple[list[Subaccount], str | None]:
    """Return a page's subaccounts, and the query of the next page. Raises `FetchFailed` where it is no page."""
    items, following = document.get("accounts"), document.get("next_page_uri")
    if not isinstance(items, list) or not isinstance(following, str | None):
        raise FetchFailed(Reason.PROVIDER_ERROR, "the answer is no page of accounts")
    found = []
    for item in items:
        if not isinstance(item, dict) or item.get("owner_account_sid") != own_sid:
            continue  # a parent that signs in for a subaccount gets its own list
        sid, status = (str(item.get(name)) for name in ("sid", "status"))
        if dialect.ids["AC"].fullmatch(sid) and sid != own_sid:
            name = str(item.get("friendly_name") or "")[:MOST_OF_A_NAME]
            found.append(Subaccount(sid, name, status if _STATUS.fullmatch(status) else "unknown"))
    return found, checked_cursor(urlsplit(following).query) if following else None
