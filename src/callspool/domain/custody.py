"""What we owe of a kept recording: that its bytes stay what they were, and that the provider's copy goes only after
ours was read back and found whole."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from callspool.domain.audit import By
from callspool.domain.recording import Recording

SCRUB: Final = By("scrub")
LIFECYCLE: Final = By("lifecycle")

_SOON: Final = timedelta(minutes=1)
_LATE: Final = timedelta(days=1)


def try_again_at(now: datetime, since: datetime | None) -> datetime:
    """Return when to delete at the provider again what could not be: the longer it waits, the later."""
    waited = now - (since or now)
    return now + min(max(_SOON, waited / 2), _LATE)


class CustodyStore(Protocol):
    """What the store keeps of it. What is said of a recording's ``kept`` changes nothing where that is another now."""

    async def to_prove(self, before: datetime, *, limit: int) -> Sequence[Recording]:
        """Return ready recordings whose file was last proven before a time, longest ago first."""
        ...

    async def proved(self, recording: Recording) -> None:
        """Note that its file is what was kept."""
        ...

    async def corrupt(self, recording: Recording, detail: str, *, again: bool, by: By = SCRUB) -> Recording | None:
        """ready → failed, because of ``corrupt``, and audit it; *again*: then → queued, in the same commit.

        None: it moved meanwhile, or another file is kept by now.
        """
        ...

    async def restore(self, recording: Recording, *, by: By = SCRUB) -> Recording | None:
        """failed because of ``corrupt`` → ready: its file is what was kept, again. Audited. None: it moved."""
        ...

    async def to_delete_at_provider(self, *, limit: int) -> Sequence[Recording]:
        """Return what is due to be deleted at its provider now, longest due first: ready, verified, and not held."""
        ...

    async def begin_delete_at_provider(self, recording: Recording, again_at: datetime) -> bool:
        """Say whether it may be deleted there now, and if so let it be due again then. Asks for holds in its UPDATE."""
        ...

    async def deleted_at_provider(self, recording: Recording, *, by: By = LIFECYCLE) -> None:
        """Note that the provider has it no more, and audit it, with the hash that was read back."""
        ...
