"""The keys of playback links as this process knows them. They may be replaced while it runs, so it looks again."""

from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from callspool.domain.ids import RecordingId
from callspool.domain.ports.secrets import SecretStore
from callspool.loop import for_ever
from callspool.playback.tokens import Grant, Links, Refused

EVERY: Final = timedelta(seconds=5)
"""How long a process may still sign, and accept, with a key that was replaced."""
_LEAST_S: Final = 1.0
"""Between two looks because of links that are not known: strangers must not make the store work."""


class LinkKeys:
    """Signs and checks links with the keys of the moment."""

    def __init__(self, store: SecretStore, first: bytes) -> None:
        """*first*: what signs until it is replaced for the first time."""
        self._store = store
        self._first = first
        self._looked = monotonic() - _LEAST_S
        self.now = Links(first)
        """What signs and checks at this moment."""

    async def run(self) -> None:
        """Look again and again, until it is cancelled."""
        await for_ever("link_keys", self.look, rest=EVERY)

    async def look(self) -> None:
        """Take over the keys that the store has now."""
        self._looked = monotonic()
        self.now = Links(*(await self._store.link_keys() or [self._first]))

    async def check(self, token: str, recording_id: RecordingId, at: datetime) -> Grant | Refused:
        """Return what a link allows, or why nothing; one that nobody here knows may be signed with a newer key."""
        grant = self.now.check(token, recording_id, at)
        if grant is Refused.BAD and monotonic() - self._looked >= _LEAST_S:
            await self.look()
            grant = self.now.check(token, recording_id, at)
        return grant
