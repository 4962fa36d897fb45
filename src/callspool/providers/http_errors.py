"""What goes wrong on the wire, said once in our words: statuses, silence, breaks, and when to ask again."""

import email.utils
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Final

from pyreqwest.exceptions import DecodeError, PyreqwestError, RequestTimeoutError
from pyreqwest.response import Response

from callspool.domain.errors import FetchFailed
from callspool.domain.reasons import Reason

LEAST_RETRY_AFTER: Final = timedelta(seconds=1)
MOST_RETRY_AFTER: Final = timedelta(minutes=15)

_MOST_ERROR_BYTES: Final = 64 * 1024


class Refused(FetchFailed):
    """The answer had an error status; ``body`` is the beginning of what came with it."""

    def __init__(self, status: int, reason: Reason, detail: str, retry_after: timedelta | None, body: bytes) -> None:
        super().__init__(reason, detail, retry_after)
        self.status = self.http_status = status
        self.body = body


def read_retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Return how long a server asks us to wait, clamped to 1 s to 15 min, or None if it does not say.

    A date is compared with the answer's own Date header, so that a wrong clock on either side is harmless.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        wait = timedelta(seconds=min(int(value[:12]), 10**6))
    else:
        until, now = _read_date(value), _read_date(headers.get("date", ""))
        if until is None or now is None:
            return None
        wait = timedelta(seconds=until - now)
    return min(max(wait, LEAST_RETRY_AFTER), MOST_RETRY_AFTER)


async def refusal(response: Response) -> Refused:
    """Return the error of an answer whose status says no."""
    status = response.status
    body = b""
    try:
        while len(body) < _MOST_ERROR_BYTES and (chunk := await response.body_reader.read_chunk()) is not None:
            body += bytes(chunk)
    except PyreqwestError:
        pass  # the status is enough
    retry_after = read_retry_after({name.lower(): value for name, value in response.headers.items()})
    match status:
        case 401:
            reason = Reason.UNAUTHORIZED
        case 403:
            reason = Reason.FORBIDDEN
        case 404:
            reason = Reason.NOT_READY  # early or gone: only time tells
        case 410:
            reason = Reason.GONE
        case 429:
            reason = Reason.THROTTLED
        case _:
            reason = Reason.PROVIDER_ERROR
    return Refused(status, reason, f"status {status}", retry_after, body[:_MOST_ERROR_BYTES])


def no_answer(error: PyreqwestError) -> FetchFailed:
    """Return the error of a request that got no answer."""
    causes = _causes(error)
    if isinstance(error, RequestTimeoutError) and "client error (Connect)" not in causes:
        return no_answer_in_time()
    if isinstance(error, DecodeError):
        return FetchFailed(Reason.PROVIDER_ERROR, f"the answer is not HTTP: {causes[-1]}")
    return FetchFailed(Reason.UNREACHABLE, causes[-1])


def no_answer_in_time() -> FetchFailed:
    """Return the error of a request that was taken, and not answered."""
    return FetchFailed(Reason.STALLED, "no answer to the request in time")


def stalled_body() -> FetchFailed:
    """Return the error of a body that stopped."""
    return FetchFailed(Reason.STALLED, "silence in the middle of the body")


def broken_body(error: PyreqwestError) -> FetchFailed:
    """Return the error of a body that did not come whole."""
    causes = _causes(error)
    if isinstance(error, RequestTimeoutError):
        return stalled_body()
    if "end of file before message length reached" in causes:
        return FetchFailed(Reason.TRUNCATED, "the body ended before its announced length")
    return FetchFailed(Reason.INTERRUPTED, causes[-1])


def _causes(error: PyreqwestError) -> list[str]:
    """Return the chain of causes, without the first: it holds the address."""
    causes = (getattr(error, "details", None) or {}).get("causes") or []
    return [str(cause["message"]) for cause in causes[1:]] or [error.message]


def _read_date(text: str) -> float | None:
    try:
        date = email.utils.parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
