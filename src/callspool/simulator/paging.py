"""Filter and page lists as the provider does: newest first, a page at a time, each page naming the next."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlencode

_PAGE_SIZE: Final = 50
_LARGEST_PAGE: Final = 1000
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class Listed(Protocol):
    """What a list is made of."""

    @property
    def sid(self) -> str:
        """Its id."""


T = TypeVar("T", bound=Listed)


def in_time(query: Mapping[str, str], name: str, at: datetime) -> bool:
    """Say whether *at* passes the filters ``NAME``, ``NAME<`` and ``NAME>``. Raises `ValueError`.

    ``NAME<=2026-11-23`` reaches the query as the name ``NAME<``; it means on or before the midnight with which
    that day begins. A day alone means all of it, an instant its second.
    """
    if exact := query.get(name):
        begin = _instant(exact)
        if not begin <= at < begin + (timedelta(days=1) if _DAY.fullmatch(exact) else timedelta(seconds=1)):
            return False
    if (before := query.get(f"{name}<")) and at > _instant(before):
        return False
    return not ((after := query.get(f"{name}>")) and at < _instant(after))


def page_of(
    path: str,
    query: Mapping[str, str],
    key: str,
    everything: Sequence[T],
    wanted: Callable[[T], bool],
    represent: Callable[[T], dict[str, Any]],
) -> dict[str, Any]:
    """Return one page of what is *wanted* of *everything*. Raises `ValueError` where the query is no page.

    A page begins behind the item that its token names: what is added or deleted meanwhile shifts nothing, and the
    item itself need not be wanted any more.
    """
    found = [item for item in everything if wanted(item)]
    size = min(int(query.get("PageSize") or _PAGE_SIZE), _LARGEST_PAGE)
    number = int(query.get("Page") or 0)
    if size < 1 or number < 0:
        raise ValueError("PageSize is 1 to 1000, Page 0 or more")
    start = number * size
    if token := query.get("PageToken", ""):
        last = next((place for place, item in enumerate(everything) if f"PA{item.sid}" == token), None)
        if last is None:
            raise ValueError("PageToken is not one that was given out")
        start = sum(map(wanted, everything[: last + 1]))
    items = found[start : start + size]
    filters = {name: value for name, value in query.items() if name not in ("PageSize", "Page", "PageToken")}

    def uri(page: int, token: str = "") -> str:
        place = {"PageSize": str(size), "Page": str(page)} | ({"PageToken": token} if token else {})
        return f"{path}?{urlencode({**filters, **place})}"

    return {
        "first_page_uri": uri(0),
        "end": start + max(len(items) - 1, 0),
        "next_page_uri": uri(number + 1, f"PA{items[-1].sid}") if start + size < len(found) else None,
        "page": number,
        "page_size": size,
        "previous_page_uri": uri(number - 1) if number else None,
        key: [represent(item) for item in items],
        "start": start,
        "uri": uri(number, token),
    }


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date such as 2026-11-23 or 2026-11-23T12:00:00Z") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
