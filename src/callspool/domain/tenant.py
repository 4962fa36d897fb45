"""Tenants, provider accounts and API keys."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from callspool.domain.ids import AccountId, TenantId


@dataclass(frozen=True, slots=True)
class Tenant:
    """A business whose recordings we keep."""

    id: TenantId
    name: str
    slots: int = 3
    """Most downloads at once (S6)."""
    weight: float = 1.0
    """Its share against other tenants of the same account."""
    paused: bool = False
    retention_days: int | None = None
    """A recording is purged so many days after it became ready. None: it is kept for ever."""
    held: bool = False
    """A legal hold lies on all of it: nothing is purged. Changed by holds alone."""
    allowed_origins: tuple[str, ...] = ()
    """Web pages that may use its API and audio in a browser. Empty: those of the setting, as for everybody."""


class MediaFormat(StrEnum):
    """What is asked of the provider first. What it says it cannot give is asked for in the next form."""

    DUAL_WAV = "dual-wav"
    """Agent and customer in a channel each; else WAV, else MP3."""
    WAV = "wav"
    """WAV as the provider mixes it; else MP3."""
    MP3 = "mp3"
    """A quarter of the size, with losses."""


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """What decrypts an account's encrypted recordings. Several at once, so that keys can be changed."""

    sid: str
    """The provider's id of the public half."""
    pem: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """One set of provider credentials. In the scheduler it is a pool."""

    id: AccountId
    provider: str
    """``twilio``, ``signalwire`` or ``telnyx``."""
    default_tenant: TenantId
    account_sid: str
    """The provider's id of it; empty where it has none."""
    auth_token: str = field(repr=False)
    previous_auth_token: str | None = field(default=None, repr=False)
    """Also accepted in signatures, for as long as a rotation lasts."""
    api_key: str | None = None
    """With ``api_secret``: signs in instead of the SID and token. Twilio also takes the SID of a parent account here,
    with the parent's token: the account is then a subaccount, whose own token signs its webhooks only."""
    api_secret: str | None = field(default=None, repr=False)
    base_url: str = "https://api.twilio.com"
    limit: int = 20
    """Most downloads at once over all its tenants."""
    paused: bool = False
    media_format: MediaFormat = MediaFormat.DUAL_WAV
    private_keys: tuple[PrivateKey, ...] = ()
    by_number: bool = False
    """Tenants are found by phone number; under the default tenant waits what belongs to none that is known."""
    signing_key: str | None = field(default=None, repr=False)
    """What signs the account's webhooks, where that is not ``auth_token``: the provider's public key, or a secret."""
    previous_signing_key: str | None = field(default=None, repr=False)
    """Also accepted in signatures, for as long as a rotation lasts."""
    media_host: str | None = None
    """Where the account's media lie, where that is not at the provider: the host of the customer's own bucket."""

    @property
    def signing_keys(self) -> tuple[str, ...]:
        """What signs the account's webhooks: the newest first."""
        return tuple(key for key in (self.signing_key, self.previous_signing_key) if key)

    def rotated(self, *, auth_token: str | None = None, signing_key: str | None = None) -> Self:
        """Return it with new secrets; those that they replace count in signatures until they are forgotten."""
        changes: dict[str, str | None] = {}
        if auth_token and auth_token != self.auth_token:
            changes = {"auth_token": auth_token, "previous_auth_token": self.auth_token}
        if signing_key and signing_key != self.signing_key:
            changes |= {"signing_key": signing_key, "previous_signing_key": self.signing_key}
        return replace(self, **changes)  # type: ignore[arg-type]

    def without_previous(self) -> Self:
        """Return it at the end of a rotation: only its newest secrets count."""
        return replace(self, previous_auth_token=None, previous_signing_key=None)

    delete_after_keep: bool = False
    """What is kept from now on is deleted at the provider, once the vault gave it back whole. Never what is held."""

    @property
    def public(self) -> dict[str, Any]:
        """What may be shown and logged of it. A field that is not named below is secret."""
        shown = {name: getattr(self, name) for name in _PUBLIC}
        return {**shown, "private_keys": [key.sid for key in self.private_keys]}


_PUBLIC: Final = (
    "id",
    "provider",
    "default_tenant",
    "account_sid",
    "api_key",
    "base_url",
    "limit",
    "paused",
    "media_format",
    "media_host",
    "by_number",
    "delete_after_keep",
)


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number of a tenant: recordings of its calls are that tenant's, where an account serves many."""

    number: str
    """As `phone_number` writes it."""
    tenant_id: TenantId


class Scope(StrEnum):
    """What a key may do. None includes another."""

    READ = "read"
    """See recordings and figures, and listen to events."""
    PLAY = "play"
    """Hear recordings, and have them fetched to be heard."""
    WRITE = "write"
    """Cancel and retry; webhook endpoints; start a backfill."""
    ADMIN = "admin"
    """Delete and hold, limits, keys, the audit log."""


ALL_SCOPES: Final = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: its secret is not, only the SHA-256 of it."""

    id: str
    """``key_`` and 16 hex digits: public, in logs and lists."""
    tenant_id: TenantId | None
    """None: the operator's."""
    name: str
    secret_sha256: str = field(repr=False)
    created_at: datetime
    revoked_at: datetime | None = None
    scopes: frozenset[Scope] = ALL_SCOPES
    expires_at: datetime | None = None
    """None: it holds until it is revoked."""
