"""Errors in the provider's own form."""

from collections.abc import Mapping

from callspool.simulator.wire import Exchange


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
