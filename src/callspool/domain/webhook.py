"""Telling others what became of a recording: their endpoints, and each message to them until it has arrived.

The form is that of Standard Webhooks (https://www.standardwebhooks.com/): any of its libraries verifies them.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol
from urllib.parse import SplitResult, urlsplit

from callspool.domain.audit import CALLSPOOL, By
from callspool.domain.errors import InvalidInput
from callspool.domain.ids import RecordingId, TenantId

RETRIES: Final[Sequence[timedelta]] = (
    *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5)),
    *(timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=24)),
)
"""The waits between tries, as Standard Webhooks recommends them: three days in all, then the message is given up."""

OVERLAP: Final = timedelta(hours=24)
"""How long after a rotation messages are signed with the old secret too."""

AT_ONCE: Final = 4
"""Most messages under way to one endpoint."""

SECRET_BYTES: Final = 32
_MOST_URL: Final = 2000
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - says what follows
_DELIVERY_PREFIX: Final = "dlv_"


class Subject(StrEnum):
    """What is told."""

    READY = "recording.ready"
    FAILED = "recording.failed"
    PURGED = "recording.purged"


class DeliveryState(StrEnum):
    """Where a message stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up after the last try."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who is told what."""

    id: str
    """``whe_`` and hex digits. It is the scheduler's pool and tenant of its messages: they take no fetch's slot."""
    tenant_id: TenantId | None
    """None: the operator's, which is told of every tenant."""
    url: str
    events: tuple[Subject, ...]
    secret: str = field(repr=False)
    created_at: datetime
    previous_secret: str | None = field(default=None, repr=False)
    previous_until: datetime | None = None
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    disabled_because: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one endpoint."""

    id: str
    """The same at each try: receivers know a repeated message by it (``webhook-id``)."""
    endpoint_id: str
    tenant_id: TenantId
    recording_id: RecordingId
    type: Subject
    payload: str
    """JSON, as it was when it happened."""
    state: DeliveryState
    attempts: int
    created_at: datetime
    not_before: datetime | None
    status: int | None
    """The last answer's."""
    error: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A try that did not arrive."""

    error: str
    status: int | None = None
    again_at: datetime | None = None
    """None: this was the last try."""
    gone: bool = False
    """The endpoint said that it is no more (410)."""


def new_secret(randomness: bytes) -> str:
    """Return a secret's text. *randomness*: `SECRET_BYTES` bytes."""
    return _SECRET_PREFIX + base64.b64encode(randomness).decode()


def new_endpoint(
    tenant_id: TenantId | None, url: str, events: Sequence[Subject], *, now: datetime, randomness: bytes
) -> Endpoint:
    """Return an endpoint with a secret of its own. *randomness*: `SECRET_BYTES` bytes and 8 more for its id."""
    if len(randomness) != SECRET_BYTES + 8:
        raise ValueError(f"an endpoint needs {SECRET_BYTES + 8} random bytes, not {len(randomness)}")
    wanted = tuple(subject for subject in Subject if subject in events)
    secret = new_secret(randomness[8:])
    return Endpoint(f"whe_{randomness[:8].hex()}", tenant_id, url, wanted, secret, now)


def check_url(url: str, *, private: bool) -> SplitResult:
    """Return the parts of a URL that may be an endpoint's, or raise `InvalidInput`.

    Where its name leads is looked at by each try. *private*: it may be plain http.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput("url", "url cannot be read.") from None
    schemes = ("https", "http") if private else ("https",)
    if parts.scheme not in schemes or not host:
        raise InvalidInput("url", f"url must begin with {' or '.join(f'{one}://' for one in schemes)} and name a host.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidInput("url", "url must have no user, password or fragment.")
    if len(url) > _MOST_URL or port == 0 or not url.isascii() or not url.isprintable() or {" ", "\\"} & set(url):
        raise InvalidInput("url", f"url must be at most {_MOST_URL} printable ASCII characters, without spaces.")
    return parts


def trial_message(now: datetime) -> bytes:
    """Return the body that ``callspool webhooks test`` sends."""
    return json.dumps({"type": "webhook.test", "timestamp": now.isoformat(), "data": {}}).encode()


def delivery_id(number: str) -> str:
    """Return a message's id, by which the scheduler's jobs are told apart too."""
    return _DELIVERY_PREFIX + number


def is_delivery_id(job_id: str) -> bool:
    """Say whether a job is a message, and no fetch."""
    return job_id.startswith(_DELIVERY_PREFIX)


def headers(endpoint: Endpoint, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers that prove who sends *body*: one signature for each secret that holds."""
    timestamp = str(int(now.timestamp()))
    secrets = [endpoint.secret]
    if endpoint.previous_secret is not None and endpoint.previous_until is not None and now < endpoint.previous_until:
        secrets.append(endpoint.previous_secret)
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class WebhookStore(Protocol):
    """What the store keeps of it. A message is written in the transaction of the event that it tells."""

    async def add_endpoint(self, endpoint: Endpoint, *, by: By = CALLSPOOL) -> None:
        """Insert it. Raises `NotFound` where there is no such tenant."""
        ...

    async def endpoints(self, tenant_id: TenantId | None) -> Sequence[Endpoint]:
        """Return a tenant's own, or all of them, oldest first."""
        ...

    async def endpoint(self, tenant_id: TenantId | None, endpoint_id: str) -> Endpoint:
        """Return it or raise `NotFound`."""
        ...

    async def remove_endpoint(self, tenant_id: TenantId | None, endpoint_id: str, *, by: By = CALLSPOOL) -> None:
        """Forget it and its messages. Raises `NotFound`."""
        ...

    async def rotate_endpoint(
        self, tenant_id: TenantId | None, endpoint_id: str, secret: str, *, by: By = CALLSPOOL
    ) -> Endpoint:
        """Give it a new secret; the old one signs too for `OVERLAP`. Raises `NotFound`."""
        ...

    async def enable_endpoint(self, tenant_id: TenantId | None, endpoint_id: str, *, by: By = CALLSPOOL) -> Endpoint:
        """Let a disabled one be told again, of what waits too. Raises `NotFound`."""
        ...

    async def deliveries(self, tenant_id: TenantId | None, endpoint_id: str, *, limit: int) -> Sequence[Delivery]:
        """Return its newest messages, newest first. Raises `NotFound`."""
        ...

    async def pending_deliveries(
        self, after: str | None, *, limit: int, submitted: bool | None = None
    ) -> Sequence[Delivery]:
        """Return messages to endpoints in use that have not arrived, by id; *submitted*: only those that are or not."""
        ...

    async def deliveries_submitted(self, ids: Sequence[str]) -> None:
        """Note that the scheduler has them."""
        ...

    async def to_deliver(self, message_id: str) -> tuple[Endpoint, Delivery] | None:
        """Return a message that has not arrived, with its endpoint; None: there is nothing to send (any more)."""
        ...

    async def delivered(self, delivery: Delivery, status: int) -> None:
        """Note that it has arrived. Again is fine."""
        ...

    async def not_delivered(self, delivery: Delivery, refused: Refused, *, disable_after: timedelta) -> bool:
        """Note a try in vain, once for each try. An endpoint that failed for so long, or is gone, is disabled: True."""
        ...

    async def forget_deliveries(self, before: datetime, *, limit: int) -> int:
        """Delete messages that ended before a time; return how many."""
        ...
