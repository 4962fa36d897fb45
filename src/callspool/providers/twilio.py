"""Twilio: its callbacks, its media addresses, its errors. The `Provider` port."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from callspool.domain.errors import FetchFailed
from callspool.domain.ids import TenantId
from callspool.domain.ports.provider import Listed, Listing, Media, Notice, Subaccount, WebhookRequest
from callspool.domain.reasons import Reason
from callspool.domain.recording import Call, Recording
from callspool.domain.tenant import Account, MediaFormat
from callspool.providers.dialect import SID, Dialect
from callspool.providers.documents import read_object
from callspool.providers.http import Credentials, Downloads
from callspool.providers.http_errors import Refused
from callspool.providers.profile import Profile
from callspool.providers.targets import S3, Target, origin_of, permitted
from callspool.providers.twilio_accounts import FIRST_QUERY, read_accounts, regional
from callspool.providers.twilio_errors import NOT_DUAL, REASONS, explain
from callspool.providers.twilio_form import check_signature, probe, read_callback
from callspool.providers.twilio_list import DELETED, checked_cursor, first_query, read_call, read_entry, read_page

MEDIA_HOSTS: Final = frozenset({".twilio.com", S3})
"""Where Twilio may redirect a download to: itself, or the customer's own bucket. Without credentials."""

PROFILE: Final = Profile(
    name="twilio",
    title="Twilio",
    sid=SID["AC"],
    sid_words="the account SID (or a subaccount's), AC and 32 lower-case hex digits",
    base_url="https://api.twilio.com",
    regional=regional,
    secret="auth token",  # noqa: S106 - its name, not its value
    signing_key="a shared key, where webhooks are signed with SHA-256",
    needs_signing_key=False,
    probe=probe,
    key=re.compile(r"(?:SK|AC)[0-9a-f]{32}"),
    key_words="an API key, SK and 32 lower-case hex digits, or for a subaccount the parent's SID",
    setup="Set this as the recording status callback at Twilio, with the events in-progress, completed and absent:",
)

TWILIO: Final = Dialect(
    ids=SID,
    id_words={prefix: f"{prefix} and 32 lower-case hex digits" for prefix in SID},
    check_signature=check_signature,
    asks_for_two=True,
    media_is_public=False,
)

_MOST_PAGES: Final = 100
_DUAL: Final = "?RequestedChannels=2"


class Twilio:
    """One for each process: it keeps the connections."""

    def __init__(
        self,
        *,
        connect_timeout: timedelta = timedelta(seconds=10),
        first_byte_timeout: timedelta = timedelta(seconds=30),
        stall_timeout: timedelta = timedelta(seconds=30),
        allowed_hosts: frozenset[str] = MEDIA_HOSTS,
        dialect: Dialect = TWILIO,
    ) -> None:
        self._dialect = dialect
        self._downloads = Downloads(
            connect_timeout=connect_timeout,
            first_byte_timeout=first_byte_timeout,
            stall_timeout=stall_timeout,
            allowed_hosts=allowed_hosts,
        )

    def read_webhook(self, account: Account, tenant_id: TenantId, request: WebhookRequest) -> Notice:
        """Check the signature, then the form. Raises `BadSignature` or `InvalidInput`."""
        return read_callback(self._dialect, account, tenant_id, request)

    @asynccontextmanager
    async def open(
        self, account: Account, recording: Recording, *, offset: int = 0, etag: str | None = None
    ) -> AsyncIterator[Media]:
        """Start the download in the form that the account prefers. Raises `FetchFailed`.

        Only an answer that says that there is no such form (400, without another code) leads to the next one. Where the
        account's media lie in a bucket of its own, what the API does not have (404) is there, if its metadata say so.
        """
        opened = False
        try:
            async with self._open_here(account, recording, offset, etag) as found:
                opened = True
                yield found
                return
        except Refused as refused:
            if opened or refused.status != 404 or account.media_host is None:
                raise
            target = await self._elsewhere(account, recording, account.media_host)
            if target is None:
                raise
        async with self._downloads.open(target, None, offset=offset, etag=etag) as found:
            yield found

    @asynccontextmanager
    async def _open_here(
        self, account: Account, recording: Recording, offset: int, etag: str | None
    ) -> AsyncIterator[Media]:
        credentials = None if self._dialect.media_is_public else _credentials(account)
        also = (account.media_host,) if account.media_host else ()
        *others, last = self._media_urls(account, recording)
        for url in others:
            opened = False
            try:
                async with self._downloads.open(url, credentials, offset=offset, etag=etag, also=also) as media:
                    opened = True
                    media.channels, media.kind = 2 if url.endswith(_DUAL) else None, _kind_of(url)
                    yield media
                    return
            except Refused as refused:
                if opened or not _lacks_form(refused):
                    raise _explained(refused) from None
        try:
            async with self._downloads.open(last, credentials, offset=offset, etag=etag, also=also) as media:
                media.kind = _kind_of(last)
                yield media
        except Refused as refused:
            raise _explained(refused) from None

    async def _elsewhere(self, account: Account, recording: Recording, host: str) -> Target | None:
        """Return where a recording's metadata say that its audio is, if that is the account's own bucket."""
        document = await self._read(account, f"{self._recording_url(account, recording.provider_recording_id)}.json")
        url = document.get("media_url")
        if not isinstance(url, str) or not url or document.get("status") != "completed":
            return None
        try:
            if origin_of(url) == origin_of(account.base_url):
                return None
            named = (urlsplit(url).hostname or "").lower()
        except ValueError:
            named = "an address that cannot be read"
        if named != host:
            raise FetchFailed(
                Reason.REDIRECT_REFUSED, f"the media are at {named[:100]}, the account's bucket is {host}"
            )
        return await permitted(account.base_url, url, (host,))

    async def subaccounts(self, account: Account) -> Sequence[Subaccount]:
        """Return the accounts that this one has, without itself. Raises `FetchFailed`."""
        found: list[Subaccount] = []
        query: str | None = FIRST_QUERY
        for _ in range(_MOST_PAGES):
            if query is None:
                break
            url = f"{account.base_url.rstrip('/')}/2010-04-01/Accounts.json?{query}"
            page, query = read_accounts(self._dialect, await self._read(account, url), account.account_sid)
            found += page
        return found

    async def list(
        self, account: Account, since: datetime, until: datetime, *, cursor: str | None = None, limit: int = 1000
    ) -> Listing:
        """Return a page of the recordings made in a window. Raises `FetchFailed`."""
        query = first_query(since, until, limit) if cursor is None else checked_cursor(cursor)
        document = await self._read(account, f"{self._recordings_url(account)}.json?{query}")
        return read_page(self._dialect, account, document, since, until)

    async def look_up(self, account: Account, provider_recording_id: str) -> Listed | None:
        """Return one recording, or None. Raises `FetchFailed`."""
        try:
            document = await self._read(account, f"{self._recording_url(account, provider_recording_id)}.json")
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        if document.get("status") == DELETED:
            return None
        listed = read_entry(self._dialect, account, document)
        if listed is None:
            raise FetchFailed(Reason.PROVIDER_ERROR, "the answer is no recording")
        return listed

    async def delete(self, account: Account, provider_recording_id: str) -> None:
        """Delete it at the provider; one that is not there is fine. Raises `FetchFailed`."""
        url = f"{self._recording_url(account, provider_recording_id)}.json"
        try:
            await self._downloads.delete(url, _credentials(account))
        except Refused as refused:
            if refused.status != 404:
                raise _explained(refused) from None

    async def call(self, account: Account, recording: Recording) -> Call | None:
        """Return what call it is of, or None. Raises `FetchFailed`."""
        if recording.call_id is None:
            return None
        try:
            document = await self._read(
                account, f"{self._account_url(account)}/Calls/{self._dialect.checked('CA', recording.call_id)}.json"
            )
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        return read_call(document)

    async def _read(self, account: Account, url: str) -> dict[str, object]:
        try:
            return await read_object(self._downloads, url, _credentials(account))
        except Refused as refused:
            raise _explained(refused) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._downloads.close()

    def _media_urls(self, account: Account, recording: Recording) -> Sequence[str]:
        """Build the addresses from checked ids; what a webhook called RecordingUrl is never used."""
        media = self._recording_url(account, recording.provider_recording_id)
        if account.media_format is MediaFormat.MP3:
            return [f"{media}.mp3"]
        forms = [f"{media}.wav", f"{media}.mp3"]
        wants_two = account.media_format is MediaFormat.DUAL_WAV and recording.announced_channels in (None, 2)
        if wants_two and self._dialect.asks_for_two:
            forms.insert(0, f"{media}.wav{_DUAL}")
        return forms

    def _recording_url(self, account: Account, provider_recording_id: str) -> str:
        return f"{self._recordings_url(account)}/{self._dialect.checked('RE', provider_recording_id)}"

    def _recordings_url(self, account: Account) -> str:
        return f"{self._account_url(account)}/Recordings"

    def _account_url(self, account: Account) -> str:
        sid = self._dialect.checked("AC", account.account_sid)
        return f"{account.base_url.rstrip('/')}/2010-04-01/Accounts/{sid}"


def _credentials(account: Account) -> Credentials:
    if account.api_key and account.api_secret:
        return Credentials(account.api_key, account.api_secret)
    return Credentials(account.account_sid, account.auth_token)


def _kind_of(url: str) -> str:
    return "mp3" if url.endswith(".mp3") else "wav"


def _lacks_form(refused: Refused) -> bool:
    """Say whether an answer means the form that was asked for, and not the recording or the account."""
    return refused.status == 400 and _code_of(refused) in (None, NOT_DUAL)


def _code_of(refused: Refused) -> int | None:
    try:
        code = json.loads(refused.body)["code"]
    except (ValueError, TypeError, KeyError):
        return None
    return code if isinstance(code, int) else None


def _explained(refused: Refused) -> Refused:
    """Say it by Twilio's own error code, and add that, in words, to what a person reads."""
    code = _code_of(refused)
    if code is None:
        return refused
    detail = f"{refused.detail}, Twilio error {explain(str(code))}"
    reason = REASONS.get(code, refused.reason)
    return Refused(refused.status, reason, detail, refused.retry_after, refused.body)
