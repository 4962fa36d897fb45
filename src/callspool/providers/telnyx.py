"""Telnyx: signed JSON events, addresses of media that hold for ten minutes, numbered pages. The `Provider` port.

An address of media is asked for when the download begins, and used at once: what a webhook carried is never kept, so
that no job, however long it waits, can come too late for one. One that expires between is asked for again, once.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from callspool.domain.errors import FetchFailed
from callspool.domain.ids import TenantId
from callspool.domain.ports.provider import Listed, Listing, Media, Notice, WebhookRequest
from callspool.domain.reasons import Reason
from callspool.domain.recording import Call, Recording
from callspool.domain.tenant import Account, MediaFormat
from callspool.providers.dialect import UUID
from callspool.providers.documents import read_object
from callspool.providers.http import Bearer, Downloads
from callspool.providers.http_errors import Refused
from callspool.providers.profile import Profile
from callspool.providers.targets import S3
from callspool.providers.telnyx_list import Cursor, read_duration, read_entry, read_page
from callspool.providers.telnyx_webhook import probe, read_event

MEDIA_HOSTS: Final = frozenset({".telnyx.com", S3, ".telnyxstorage.com"})
"""Where its addresses of media may lead. Without credentials."""

PROFILE: Final = Profile(
    name="telnyx",
    title="Telnyx",
    sid=None,
    sid_words="",
    base_url="https://api.telnyx.com",
    regional=None,
    secret="API key (v2)",  # noqa: S106 - its name, not its value
    signing_key="the public key of the portal's page Keys & Credentials",
    needs_signing_key=True,
    probe=probe,
    key=None,
    key_words="no other key; it has one secret, --token",
    setup="Set this as the webhook URL of the Call Control application at Telnyx:",
)


class Telnyx:
    """One for each process: it keeps the connections."""

    def __init__(
        self,
        *,
        connect_timeout: timedelta = timedelta(seconds=10),
        first_byte_timeout: timedelta = timedelta(seconds=30),
        stall_timeout: timedelta = timedelta(seconds=30),
        allowed_hosts: frozenset[str] = MEDIA_HOSTS,
    ) -> None:
        self._downloads = Downloads(
            connect_timeout=connect_timeout,
            first_byte_timeout=first_byte_timeout,
            stall_timeout=stall_timeout,
            allowed_hosts=allowed_hosts,
        )

    def read_webhook(self, account: Account, tenant_id: TenantId, request: WebhookRequest) -> Notice | None:
        """Check the signature, then the event. Raises `BadSignature` or `InvalidInput`."""
        return read_event(account, tenant_id, request)

    @asynccontextmanager
    async def open(
        self, account: Account, recording: Recording, *, offset: int = 0, etag: str | None = None
    ) -> AsyncIterator[Media]:
        """Ask for an address, and start the download there. Raises `FetchFailed`."""
        for last in (False, True):
            document = await self._one(account, recording.provider_recording_id)
            form, address = _address(account, document)
            url = await self._downloads.permitted(account.base_url, address)
            opened = False
            try:
                async with self._downloads.open(url, None, offset=offset, etag=etag) as media:
                    opened = True
                    media.duration_s = read_duration(document)
                    media.kind = form
                    yield media
                    return
            except Refused as refused:
                if opened or refused.status != 403:
                    raise
                if last:  # not the account's permission: that was good enough for the address
                    detail = "status 403 for an address that was just given out"
                    raise FetchFailed(Reason.PROVIDER_ERROR, detail, refused.retry_after) from None

    async def list(
        self, account: Account, since: datetime, until: datetime, *, cursor: str | None = None, limit: int = 1000
    ) -> Listing:
        """Return a page of the recordings made in a window. Raises `FetchFailed`."""
        place = Cursor.read(cursor) if cursor is not None else Cursor(until)
        query = place.query(since, limit)
        document = await self._read(account, f"{_recordings_url(account)}?{query}")
        return read_page(account, document, since, until, place)

    async def look_up(self, account: Account, provider_recording_id: str) -> Listed | None:
        """Return one recording, or None. Raises `FetchFailed`."""
        try:
            document = await self._one(account, provider_recording_id)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        listed = read_entry(account, document)
        if listed is None:
            raise FetchFailed(Reason.PROVIDER_ERROR, "the answer is no recording")
        return listed

    async def delete(self, account: Account, provider_recording_id: str) -> None:
        """Delete it at the provider; one that is not there is fine. Raises `FetchFailed`."""
        try:
            await self._downloads.delete(_recording_url(account, provider_recording_id), Bearer(account.auth_token))
        except Refused as refused:
            if refused.status != 404:
                raise

    async def call(self, account: Account, recording: Recording) -> Call | None:
        """Return what call it is of, as the recording itself tells, or None. Raises `FetchFailed`."""
        listed = await self.look_up(account, recording.provider_recording_id)
        return None if listed is None else listed.notice.call

    async def close(self) -> None:
        """Close the connections."""
        await self._downloads.close()

    async def _one(self, account: Account, provider_recording_id: str) -> Mapping[str, object]:
        document = (await self._read(account, _recording_url(account, provider_recording_id))).get("data")
        if not isinstance(document, dict) or document.get("id") != provider_recording_id:
            raise FetchFailed(Reason.PROVIDER_ERROR, "the answer is not the recording that was asked for")
        return document

    async def _read(self, account: Account, url: str) -> dict[str, object]:
        return await read_object(self._downloads, url, Bearer(account.auth_token))


def _address(account: Account, document: Mapping[str, object]) -> tuple[str, str]:
    """Return form and address of the file that the account prefers among those that there are."""
    found = document.get("download_urls")
    addresses = found if isinstance(found, dict) else {}
    forms = ("mp3", "wav") if account.media_format is MediaFormat.MP3 else ("wav", "mp3")
    for form in forms:
        if isinstance(url := addresses.get(form), str) and url:
            return form, url
    raise FetchFailed(Reason.NOT_READY, "the recording has no address of its media yet")


def _recording_url(account: Account, provider_recording_id: str) -> str:
    if UUID.fullmatch(provider_recording_id) is None:
        raise FetchFailed(Reason.INTERNAL, "an id is not a UUID in lower case")
    return f"{_recordings_url(account)}/{provider_recording_id}"


def _recordings_url(account: Account) -> str:
    return f"{account.base_url.rstrip('/')}/v2/recordings"
