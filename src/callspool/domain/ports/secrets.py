"""callspool's own secrets: what it signs with, and the seals on what it keeps for others."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from callspool.domain.audit import CALLSPOOL, By


class SecretStore(Protocol):
    """Keeps secrets, sealed."""

    async def signing_key(self) -> bytes:
        """Return the key of what API and workers say to each other, and of links at first. It never changes."""
        ...

    async def link_keys(self) -> Sequence[bytes]:
        """Return the keys of playback links, the newest first; none: `signing_key` was never replaced there."""
        ...

    async def rotate_link_key(self, overlap: timedelta, *, by: By = CALLSPOOL) -> None:
        """Let a new key sign playback links; those before it hold for *overlap* more. Audited."""
        ...

    async def reseal(self, looked: Callable[[int, int], None], *, by: By) -> int:
        """Seal all credentials anew with the newest secret key; return how many were sealed with an older one.

        *looked* is told how many rows were looked at, and of how many. May be broken off and run again.
        """
        ...
