"""The audit log: who changed what, and who listened. Each entry carries a keyed hash over itself and the one before it.

An entry that was altered, put in or taken out breaks the chain, and nobody who can only write the database can
mend it: the key is the installation's. What the chain alone cannot show is that its newest entries were cut
off; for that, keep `head` somewhere else from time to time (docs/security.md).
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from callspool.domain.ids import TenantId

FIRST: Final = "0" * 64
"""What stands for the hash before the first entry."""


@dataclass(frozen=True, slots=True)
class By:
    """Who does something that is audited."""

    actor: str
    """``key:…``, ``user:…``, ``cli`` or ``callspool`` itself."""
    address: str | None = None
    """From where, as the connection says."""


CALLSPOOL: Final = By("callspool")


@dataclass(frozen=True, slots=True)
class Act:
    """What is done: to be written into the log in the transaction that does it. No secret is part of it."""

    action: str
    """``tenant.add``, ``key.revoke`` …"""
    target: str
    tenant_id: TenantId | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


class AuditKind(StrEnum):
    """A part of the log."""

    CHANGES = "changes"
    """Who changed what."""
    LISTENING = "listening"
    """Who listened, and who was refused: many more."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done a moment ago, and no transaction of the store was part of it."""

    act: Act
    by: By
    at: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log."""

    seq: int
    """From 1, without gaps."""
    at: datetime
    actor: str
    action: str
    target: str
    tenant_id: TenantId | None
    detail: str
    """JSON."""
    address: str | None
    hash: str

    def sealed(self, key: bytes, previous: str) -> str:
        """Return the hash that this entry must have after the one with the hash *previous*."""
        said = [
            previous,
            self.seq,
            self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            self.actor,
            self.action,
            self.target,
            self.tenant_id,
            self.detail,
            self.address,
        ]
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the whole log found."""

    entries: int
    head: str
    """Number and hash of the newest entry, ``12:ab…``: what to keep elsewhere."""
    broken: int | None = None
    """The number of the first entry that is not what was written."""
    why: str = ""
