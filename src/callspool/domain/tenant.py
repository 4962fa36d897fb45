"""Tenants, provider accounts and API keys."""

from dataclasses import dataclass, field
from datetime import datetime

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


@dataclass(frozen=True, slots=True)
class Account:
    """One set of provider credentials. In the scheduler it is a pool."""

    id: AccountId
    provider: str
    """``twilio`` for now."""
    default_tenant: TenantId
    account_sid: str
    auth_token: str = field(repr=False)
    previous_auth_token: str | None = field(default=None, repr=False)
    """Also accepted in signatures, for as long as a rotation lasts."""
    api_key: str | None = None
    """With ``api_secret``: used for downloads instead of the SID and token."""
    api_secret: str | None = field(default=None, repr=False)
    base_url: str = "https://api.twilio.com"
    limit: int = 20
    """Most downloads at once over all its tenants."""
    paused: bool = False


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
