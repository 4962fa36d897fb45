"""Errors in the provider's own form."""

import email.utils
from collections.abc import Mapping
from datetime import datetime, timedelta

from callspool.simulator.faults import Fault
from callspool.simulator.wire import Exchange


def retry_after(fault: Fault, now: datetime) -> dict[str, str]:
    """Return the header with which a fault says when to ask again, as seconds or as a date, or none."""
    if fault.retry_after == "-":
        return {}
    if not fault.retry_after.startswith("date"):
        return {"Retry-After": fault.retry_after}
    until = now + timedelta(seconds=int(fault.retry_after.removeprefix("date") or "0"))
    return {"Retry-After": email.utils.format_datetime(until, usegmt=True)}


async def problem(
    exchange: Exchange, status: int, code: int, message: str, headers: Mapping[str, str] | None = None
) -> None:
    """Answer with an error: its code, a sentence, and where to read more."""
    value = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    await exchange.json(status, value, headers)
