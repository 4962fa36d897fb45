"""The port of a provider, and what it tells."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from callspool.domain.ids import AccountId, TenantId
from callspool.domain.recording import Call, Encryption, Recording
from callspool.domain.tenant import Account


class ProviderStatus(StrEnum):
    """What a provider says of a recording, in our words."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Notice:
    """What a webhook (or a listing) said, checked and in our words."""

    account_id: AccountId
    tenant_id: TenantId
    provider_recording_id: str
    call_id: str | None
    status: ProviderStatus
    duration_s: float | None = None
    """None where the provider did not say or said -1."""
    channels: int | None = None
    source: str | None = None
    started_at: datetime | None = None
    error: str | None = None
    """The provider's error code, with what it means."""
    encryption: Encryption | None = None
    call: Call | None = None
    """Where the provider says it at once."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a notice did."""

    recording: Recording
    changed: bool
    """False for a duplicate, a late or a backward notice: nothing was written."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A webhook as it came in. ``url`` is the public one, from the settings and the raw path and query."""

    url: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Media(Protocol):
    """An open download."""

    @property
    def length(self) -> int | None:
        """Bytes of the whole file, where the provider says."""
        ...

    @property
    def offset(self) -> int:
        """Where this body begins: what was asked for, or 0 where the provider started again."""
        ...

    @property
    def etag(self) -> str | None:
        """A strong entity tag, or None: without one a broken download starts again."""
        ...

    @property
    def channels(self) -> int | None:
        """How many channels the form has that was asked for; None: as many as the provider likes."""
        ...

    @property
    def duration_s(self) -> float | None:
        """The recording's, where the provider says it with the file."""
        ...

    @property
    def kind(self) -> str | None:
        """The form that was asked for: ``wav`` or ``mp3``; None: any."""
        ...

    def chunks(self) -> AsyncIterator[bytes | memoryview]:
        """Yield the body, in pieces that never change. Raises `FetchFailed` (interrupted, stalled, truncated ...)."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """One recording as its provider lists it."""

    notice: Notice
    """What a webhook would have said, for the account's default tenant."""
    created_at: datetime
    """By the provider's clock: the windows of lists are of this time."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a provider's list."""

    entries: tuple[Listed, ...]
    next_cursor: str | None
    """None: this was the last page."""
    unread: tuple[str, ...] = ()
    """Ids of entries that are in the list and whose form we do not understand."""


@dataclass(frozen=True, slots=True)
class Subaccount:
    """An account that an account has at its provider."""

    sid: str
    name: str
    status: str
    """The provider's word: ``active``, ``suspended``, ``closed`` …"""


@runtime_checkable
class Discovers(Protocol):
    """What a provider's module also may be able to do."""

    async def subaccounts(self, account: Account) -> Sequence[Subaccount]:
        """Return the accounts that this one has, without itself. Raises `FetchFailed`."""
        ...


class Provider(Protocol):
    """What is special about one provider: its signatures, addresses and errors."""

    def read_webhook(self, account: Account, tenant_id: TenantId, request: WebhookRequest) -> Notice | None:
        """Check the signature, then the form. Raises `BadSignature` or `InvalidInput`. Fetches nothing.

        None: it is about something else than a recording of ours, and there is nothing to do.
        """
        ...

    def open(
        self, account: Account, recording: Recording, *, offset: int = 0, etag: str | None = None
    ) -> AbstractAsyncContextManager[Media]:
        """Start the download. Raises `FetchFailed` with the reason, classified once, here."""
        ...

    async def list(
        self, account: Account, since: datetime, until: datetime, *, cursor: str | None = None, limit: int = 1000
    ) -> Listing:
        """Return a page of at most *limit* recordings that were made from *since* to before *until*, in any order.

        What is deleted there is not listed. *cursor*: of the page before, with the same window. One that the provider
        no longer takes, as any answer that is no page, raises `FetchFailed`: then the window is begun again.
        """
        ...

    async def look_up(self, account: Account, provider_recording_id: str) -> Listed | None:
        """Return one recording, or None where the provider has none of this id (any more). Raises `FetchFailed`."""
        ...

    async def delete(self, account: Account, provider_recording_id: str) -> None:
        """Delete it at the provider, for ever. One that is not there is fine. Raises `FetchFailed`."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...

    async def call(self, account: Account, recording: Recording) -> Call | None:
        """Return what call it is of, or None where the provider cannot say (any more). Raises `FetchFailed`."""
        ...
