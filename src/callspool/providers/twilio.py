"""Twilio: its callbacks, its media addresses, its errors. The `Provider` port."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from callspool.domain.errors import FetchFailed
from callspool.domain.ids import TenantId
from callspool.domain.ports import Media, Notice, WebhookRequest
from callspool.domain.reasons import Reason
from callspool.domain.recording import Recording
from callspool.domain.tenant import Account
from callspool.providers.http import Credentials, Downloads, Refused
from callspool.providers.twilio_form import SID, read_callback

MEDIA_HOSTS: Final = frozenset({".twilio.com", ".amazonaws.com"})
"""Where Twilio may redirect a download to: itself, or the customer's own bucket. Without credentials."""

_NOT_DUAL: Final = 16113
"""Twilio's code for two channels asked of a recording that has one."""


class Twilio:
    """One for each process: it keeps the connections."""

    def __init__(
        self,
        *,
        connect_timeout: timedelta = timedelta(seconds=10),
        stall_timeout: timedelta = timedelta(seconds=30),
        allowed_hosts: frozenset[str] = MEDIA_HOSTS,
    ) -> None:
        self._downloads = Downloads(
            connect_timeout=connect_timeout, stall_timeout=stall_timeout, allowed_hosts=allowed_hosts
        )

    def read_webhook(self, account: Account, tenant_id: TenantId, request: WebhookRequest) -> Notice:
        """Check the signature, then the form. Raises `BadSignature` or `InvalidInput`."""
        return read_callback(account, tenant_id, request)

    @asynccontextmanager
    async def open(
        self, account: Account, recording: Recording, *, offset: int = 0, etag: str | None = None
    ) -> AsyncIterator[Media]:
        """Start the download of the WAV, in two channels wherever there are two. Raises `FetchFailed`."""
        url = _media_url(account, recording)
        dual = url + "?RequestedChannels=2"
        credentials = _credentials(account)
        opened = False
        if recording.announced_channels in (None, 2):
            try:
                async with self._downloads.open(dual, credentials, offset=offset, etag=etag) as media:
                    opened = True
                    yield media
            except Refused as refused:
                if opened or not _is_not_dual(refused):
                    raise
        if not opened:
            async with self._downloads.open(url, credentials, offset=offset, etag=etag) as media:
                yield media

    async def close(self) -> None:
        """Close the connections."""
        await self._downloads.close()


def _media_url(account: Account, recording: Recording) -> str:
    """Build the address from checked ids; what a webhook called RecordingUrl is never used."""
    for prefix, sid in (("AC", account.account_sid), ("RE", recording.provider_recording_id)):
        if SID[prefix].fullmatch(sid) is None:
            raise FetchFailed(Reason.INTERNAL, f"an id is not {prefix} and 32 lower-case hex digits")
    base = account.base_url.rstrip("/")
    return f"{base}/2010-04-01/Accounts/{account.account_sid}/Recordings/{recording.provider_recording_id}.wav"


def _credentials(account: Account) -> Credentials:
    if account.api_key and account.api_secret:
        return Credentials(account.api_key, account.api_secret)
    return Credentials(account.account_sid, account.auth_token)


def _is_not_dual(refused: Refused) -> bool:
    if refused.status != 400:
        return False
    try:
        answer = json.loads(refused.body)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("code") == _NOT_DUAL
