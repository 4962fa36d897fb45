"""A provider of which nothing is asked but its media: what the measured providers have in common."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime

from callspool.domain.ids import TenantId
from callspool.domain.ports.provider import Listed, Listing, Media, Notice, WebhookRequest
from callspool.domain.recording import Call, Recording
from callspool.domain.tenant import Account


class MediaOnly:
    """`callspool.domain.ports.provider.Provider`, but for ``open``."""

    def read_webhook(self, account: Account, tenant_id: TenantId, request: WebhookRequest) -> Notice | None:
        """Nobody calls."""
        raise NotImplementedError

    def open(
        self, account: Account, recording: Recording, *, offset: int = 0, etag: str | None = None
    ) -> AbstractAsyncContextManager[Media]:
        """What each of them does in its own way."""
        raise NotImplementedError

    async def list(
        self, account: Account, since: datetime, until: datetime, *, cursor: str | None = None, limit: int = 1000
    ) -> Listing:
        """Nobody asks."""
        raise NotImplementedError

    async def look_up(self, account: Account, provider_recording_id: str) -> Listed | None:
        """Nobody asks."""
        raise NotImplementedError

    async def delete(self, account: Account, provider_recording_id: str) -> None:
        """Nobody asks."""
        raise NotImplementedError

    async def call(self, account: Account, recording: Recording) -> Call | None:
        """Say that nothing is known of the call: a worker asks this beside each download."""
        return None

    async def close(self) -> None:
        """Nothing is held."""
