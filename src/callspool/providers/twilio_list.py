"""Read Twilio's lists of recordings: what to ask for, and what the answer says.

Twilio documents its date filters by whole days, while its own SDK sends seconds. So whole days are asked for, which
means the same either way, and what lies outside the window is left out here. Of ``next_page_uri`` only the query is
taken: the address is ours.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit

from callspool.domain.errors import FetchFailed, InvalidInput
from callspool.domain.ids import phone_number
from callspool.domain.ports.provider import Listed, Listing, Notice
from callspool.domain.reasons import Reason
from callspool.domain.recording import Call
from callspool.domain.tenant import Account
from callspool.providers.dialect import Dialect
from callspool.providers.twilio_errors import explain
from callspool.providers.twilio_form import (
    CHANNELS,
    ERROR_CODE,
    SOURCE,
    STATUSES,
    read_date,
    read_duration,
    read_encryption,
)

DELETED: Final = "deleted"

DIRECTION: Final = re.compile(r"[a-z][a-z-]{0,39}")
MOST_OF_A_NAME: Final = 200

_CURSOR: Final = re.compile(r"[A-Za-z0-9%&=_.+:<>-]{1,1000}")


def first_query(since: datetime, until: datetime, limit: int) -> str:
    """Return the query of a window's first page."""
    begin, end = since.astimezone(UTC), until.astimezone(UTC)
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    last = end.replace(hour=0, minute=0, second=0, microsecond=0)
    if last < end:
        last += timedelta(days=1)
    return urlencode(
        {
            "DateCreated>": f"{midnight:%Y-%m-%dT%H:%M:%SZ}",
            "DateCreated<": f"{last:%Y-%m-%dT%H:%M:%SZ}",
            "PageSize": limit,
        }
    )


def checked_cursor(cursor: str) -> str:
    """Return a query that may be sent. Raises `FetchFailed`."""
    if _CURSOR.fullmatch(cursor) is None:
        raise FetchFailed(Reason.PROVIDER_ERROR, "the next page has an address that cannot be read")
    return cursor


def read_page(
    dialect: Dialect, account: Account, document: dict[str, object], since: datetime, until: datetime
) -> Listing:
    """Return what a page says of the window. Raises `FetchFailed` where it is no page."""
    items, following = document.get("recordings"), document.get("next_page_uri")
    if not isinstance(items, list) or not isinstance(following, str | None):
        raise FetchFailed(Reason.PROVIDER_ERROR, "the answer is no page of recordings")
    entries, unread = [], []
    for item in items:
        if not isinstance(item, dict):
            raise FetchFailed(Reason.PROVIDER_ERROR, "the answer is no page of recordings")
        if item.get("status") == DELETED:
            continue
        listed = read_entry(dialect, account, item)
        if listed is None:
            unread.append(str(item.get("sid"))[:64])
        elif since <= listed.created_at < until:
            entries.append(listed)
    cursor = checked_cursor(urlsplit(following).query) if following else None
    return Listing(tuple(entries), cursor, tuple(unread))


def read_call(document: dict[str, object]) -> Call:
    """Return who called whom."""
    direction = document.get("direction")
    return Call(
        from_number=read_party(document.get("from")),
        to_number=read_party(document.get("to")),
        direction=direction if isinstance(direction, str) and DIRECTION.fullmatch(direction) else None,
    )


def read_party(given: object) -> str | None:
    """Return a phone number in one form, or another name (``client:anna``, ``sip:…``) as it is."""
    if not isinstance(given, str) or not given.strip():
        return None
    return phone_number(given) or given.strip()[:MOST_OF_A_NAME]


def read_entry(dialect: Dialect, account: Account, item: dict[str, object]) -> Listed | None:
    """Return one recording, or None where its form is not one that we know."""
    text = {name: "" if value is None else str(value) for name, value in item.items()}
    status = STATUSES.get(text.get("status", ""))
    created_at = read_date(text.get("date_created", ""))
    sid, call = text.get("sid", ""), text.get("call_sid", "")
    if status is None or created_at is None or dialect.ids["RE"].fullmatch(sid) is None:
        return None
    if text.get("account_sid") != account.account_sid or (call and dialect.ids["CA"].fullmatch(call) is None):
        return None
    try:
        encryption = read_encryption(given) if (given := item.get("encryption_details")) else None
    except InvalidInput:
        return None
    code = text.get("error_code", "")
    notice = Notice(
        account_id=account.id,
        tenant_id=account.default_tenant,
        provider_recording_id=sid,
        call_id=call or None,
        status=status,
        duration_s=read_duration(text.get("duration", "")),
        channels=int(text["channels"]) if CHANNELS.fullmatch(text.get("channels", "")) else None,
        source=text["source"] if SOURCE.fullmatch(text.get("source", "")) else None,
        started_at=read_date(text.get("start_time", "")),
        error=explain(code) if ERROR_CODE.fullmatch(code) else None,
        encryption=encryption,
    )
    return Listed(notice, created_at)
