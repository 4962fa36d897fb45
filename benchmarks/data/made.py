"""Recordings and accounts as the measurements need them."""

import os
from datetime import UTC, datetime
from typing import Final

from callspool.domain.ids import AccountId, TenantId, new_recording_id
from callspool.domain.recording import Recording, State
from callspool.domain.tenant import Account

TENANT: Final = TenantId("acme")
RATE: Final = 8000
"""Samples a second."""


def account(url: str) -> Account:
    """Return an account whose provider is at *url*."""
    return Account(AccountId("main"), "twilio", TENANT, "AC" + "0" * 32, "the-token", base_url=url)


def sid(number: int, size: int) -> str:
    """Return the provider's id of a recording that `origin` sends with so many bytes."""
    return f"RE{number:016x}{size:016x}"


def recording(number: int, size: int) -> Recording:
    """Return a recording of so many bytes that is being fetched for the first time."""
    now = datetime.now(UTC)
    return Recording(
        id=new_recording_id(int(now.timestamp() * 1000), os.urandom(16)),
        tenant_id=TENANT,
        account_id=AccountId("main"),
        provider_recording_id=sid(number, size),
        call_id=None,
        state=State.FETCHING,
        version=2,
        attempt=1,
        tries=0,
        not_ready=0,
        lost=0,
        not_before=None,
        reason=None,
        detail=None,
        announced_duration_s=None,
        announced_channels=1,
        source=None,
        started_at=None,
        created_at=now,
        updated_at=now,
        ready_at=None,
        kept=None,
    )
