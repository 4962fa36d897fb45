"""API keys. Of their secrets only the hashes are kept."""

from collections.abc import Sequence
from typing import Protocol

from callspool.domain.audit import CALLSPOOL, By
from callspool.domain.tenant import ApiKey


class KeyStore(Protocol):
    """Keeps API keys. Each change is audited in its own transaction."""

    async def add_key(self, key: ApiKey, *, by: By = CALLSPOOL) -> None:
        """Insert it; `NotFound` if its tenant does not exist."""
        ...

    async def key_by_hash(self, secret_sha256: str) -> ApiKey | None:
        """Return the key, unless it is unknown or revoked, or its time is over."""
        ...

    async def keys(self) -> Sequence[ApiKey]:
        """Return all, oldest first, revoked ones too."""
        ...

    async def revoke_key(self, key_id: str, *, by: By = CALLSPOOL) -> ApiKey:
        """Revoke it (again is the same), or raise `NotFound`."""
        ...
