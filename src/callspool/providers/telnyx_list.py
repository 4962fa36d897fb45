"""Read Telnyx's recordings, one or a page of them.

Its pages are numbered, so that what is deleted meanwhile would shift the next one. Therefore the next page is asked for
by time instead: up to the oldest that was seen, beginning again at number 1, and what was seen of that very moment is
left out. That needs lists that are newest first, which is checked; where one is not, the numbers are used.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from urllib.parse import urlencode

from callspool.domain.errors import FetchFailed
from callspool.domain.ports.provider import Listed, Listing, Notice, ProviderStatus
from callspool.domain.reasons import Reason
from callspool.domain.recording import Call
from callspool.domain.tenant import Account
from callspool.providers.dialect import UUID
from callspool.providers.twilio_list import read_party

MOST_OF_A_PAGE: Final = 250

_MOST_SEEN: Final = 50
_CHANNELS: Final = {"single": 1, "dual": 2}
_WORD: Final = re.compile(r"[A-Za-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next page begins."""

    until: datetime
    """Made by then, that moment included."""
    number: int = 1
    seen: tuple[str, ...] = ()
    """Ids of that moment which earlier pages had."""

    def __str__(self) -> str:
        return " ".join((self.until.isoformat(), str(self.number), *self.seen))

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the cursor of `__str__`. Raises `FetchFailed`."""
        try:
            until, number, *seen = text.split(" ")
            return cls(datetime.fromisoformat(until), int(number), tuple(seen))
        except ValueError:
            raise FetchFailed(Reason.PROVIDER_ERROR, "the cursor is not one of this provider's") from None

    def query(self, since: datetime, limit: int) -> str:
        """Return what asks for the page."""
        return urlencode(
            {
                "filter[created_at][gte]": _time(since),
                "filter[created_at][lte]": _time(self.until),
                "page[number]": self.number,
                "page[size]": min(limit, MOST_OF_A_PAGE),
            }
        )

    def after(self, listed: list[tuple[str, datetime]]) -> Self:
        """Return the next page's."""
        times = [at for _, at in listed]
        oldest = min(times, default=self.until)
        if not listed or times != sorted(times, reverse=True) or oldest >= self.until:
            return type(self)(self.until, self.number + 1, self.seen)
        moment = tuple(name for name, at in listed if at == oldest)
        return type(self)(oldest, 1, moment) if len(moment) <= _MOST_SEEN else type(self)(self.until, self.number + 1)


def read_page(
    account: Account, document: Mapping[str, object], since: datetime, until: datetime, place: Cursor
) -> Listing:
    """Return what a page says of the window. Raises `FetchFailed` where it is no page."""
    items, meta = document.get("data"), document.get("meta")
    if not isinstance(items, list) or not isinstance(meta, dict) or not all(isinstance(one, dict) for one in items):
        raise FetchFailed(Reason.PROVIDER_ERROR, "the answer is no page of recordings")
    number, pages = meta.get("page_number"), meta.get("total_pages")
    if not isinstance(number, int) or not isinstance(pages, int):
        raise FetchFailed(Reason.PROVIDER_ERROR, "the answer is a page without its number")
    entries, unread, passed = [], [], []
    for item in items:
        listed = read_entry(account, item)
        if listed is None:
            unread.append(str(item.get("id"))[:64])
            continue
        passed.append((listed.notice.provider_recording_id, listed.created_at))
        if since <= listed.created_at < until and listed.notice.provider_recording_id not in place.seen:
            entries.append(listed)
    cursor = str(place.after(passed)) if number < pages else None
    return Listing(tuple(entries), cursor, tuple(unread))


def read_entry(account: Account, item: Mapping[str, object]) -> Listed | None:
    """Return one recording, or None where its form is not one that we know."""
    name, created_at = item.get("id"), read_time(item.get("created_at"))
    if not isinstance(name, str) or UUID.fullmatch(name) is None or created_at is None:
        return None
    if item.get("status") != "completed":
        return None
    source = item.get("initiated_by")
    notice = Notice(
        account_id=account.id,
        tenant_id=account.default_tenant,
        provider_recording_id=name,
        call_id=read_call_id(item),
        status=ProviderStatus.COMPLETED,
        duration_s=read_duration(item),
        channels=read_channels(item),
        source=source if isinstance(source, str) and _WORD.fullmatch(source) else None,
        started_at=read_time(item.get("recording_started_at")),
        call=_read_call(item),
    )
    return Listed(notice, created_at)


def read_call_id(item: Mapping[str, object]) -> str | None:
    """Return the id of the call's leg, which several recordings may share."""
    name = item.get("call_leg_id") or item.get("call_session_id")
    return name if isinstance(name, str) and UUID.fullmatch(name) else None


def read_channels(item: Mapping[str, object]) -> int | None:
    """Return how many channels it has."""
    return _CHANNELS.get(str(item.get("channels")))


def read_duration(item: Mapping[str, object]) -> float | None:
    """Return its duration in seconds."""
    ms = item.get("duration_millis")
    return ms / 1000 if isinstance(ms, int) and not isinstance(ms, bool) and 0 < ms < 10**10 else None


def read_time(given: object) -> datetime | None:
    """Return a time in UTC, or None."""
    try:
        at = datetime.fromisoformat(given) if isinstance(given, str) else None
        return at if at is None else at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter for the first and the last day that there is
        return None


def _read_call(item: Mapping[str, object]) -> Call | None:
    call = Call(read_party(item.get("from")), read_party(item.get("to")), None)
    return call if call.from_number or call.to_number else None


def _time(at: datetime) -> str:
    """Write a time so that none of its moment is left out: the filter may know milliseconds only."""
    begin = at.astimezone(UTC)
    return f"{begin + timedelta(microseconds=-begin.microsecond % 1000):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
