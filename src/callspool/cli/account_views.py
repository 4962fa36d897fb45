"""What commands show of accounts: their secrets never."""

from typing import Any

from callspool.domain.tenant import Account
from callspool.settings import Settings


def webhook_url(settings: Settings, account: Account) -> str:
    """Return what to enter at the provider."""
    return f"{settings.public_url.rstrip('/')}/webhooks/{account.provider}/{account.id}"


def shown(account: Account, settings: Settings) -> dict[str, Any]:
    """Return what may be shown of an account."""
    return {
        **{name: value for name, value in account.public.items() if name != "private_keys"},
        "private_key_sids": [key.sid for key in account.private_keys],
        "webhook_url": webhook_url(settings, account),
    }
