"""Who listened: noted once a listening. A player asks for ranges by the thousand; all but the first cost a look-up."""

from datetime import timedelta
from typing import Final

from callspool.api.recent import Recent
from callspool.api.services import Services
from callspool.domain.errors import Unavailable
from callspool.domain.ids import RecordingId
from callspool.domain.recording import Recording

BY_LINK: Final = "link"
"""Whoever has a playback link; who made it was noted when it was made."""

_REMEMBERED: Final = timedelta(minutes=10)
"""Less than the store's own time for one listening, which decides."""


class Listening:
    """What one process has noted lately."""

    def __init__(self, services: Services) -> None:
        self._store = services.store
        self._noted: Recent[tuple[RecordingId, str], bool] = Recent(memory=_REMEMBERED)

    def knows(self, recording: Recording, actor: str) -> bool:
        """Say whether that *actor* listens was noted lately."""
        return bool(self._noted.get((recording.id, actor)))

    async def note(self, recording: Recording, actor: str) -> None:
        """Keep that *actor* listens. A store that is away keeps nobody from listening."""
        if self.knows(recording, actor):
            return
        self._noted.put((recording.id, actor), True)
        try:
            await self._store.note_listen(recording, actor=actor)
        except Unavailable:
            self._noted.put((recording.id, actor), False)
