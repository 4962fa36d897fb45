"""Who listens, in this process: what belongs together is one listening, from its first byte to its last.

Nothing here waits for anything: what is to be written is left with the `Trail`.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from time import monotonic
from typing import Final, NamedTuple

from starlette.responses import Response

from callspool.api.auth import Principal
from callspool.api.trail import Trail
from callspool.domain.audit import By, Deed
from callspool.domain.ids import RecordingId
from callspool.domain.listening import ListenForm, Told
from callspool.domain.ports.clock import Clock
from callspool.domain.recording import Recording
from callspool.playback.growing import GrowingResponse
from callspool.playback.heard import Heard
from callspool.playback.serving import AudioResponse
from callspool.playback.tokens import Grant

QUIET: Final = timedelta(seconds=60)
"""Who asks for nothing for so long has stopped."""
LONG: Final = timedelta(minutes=10)
"""So often one that goes on is told of: what of its ranges a process that is killed can lose."""
MOST: Final = 4096
"""Listenings that go on at once. With more, the one that began first is told of as it stands."""


BY_LINK: Final = "link"
"""Who asked for a link that was made before links said it."""


class Listener(NamedTuple):
    """Who hears something."""

    actor: str
    by: str
    """``key``, ``session`` or ``link``."""
    address: str | None

    @classmethod
    def of(cls, principal: Principal, address: str | None) -> "Listener":
        """Return whoever asks with a key or a session."""
        return cls(principal.actor, "key" if principal.csrf is None else "session", address)

    @classmethod
    def by_link(cls, grant: Grant, address: str | None) -> "Listener":
        """Return whoever has a link: all that is known is who asked for it, and links once did not say that."""
        return cls(grant.maker or BY_LINK, "link", address)


class _Key(NamedTuple):
    """What makes two requests one listening."""

    recording_id: RecordingId
    attempt: int
    how: ListenForm
    listener: Listener


@dataclass(slots=True)
class _One:
    told: Told
    by: By
    heard: Heard
    told_s: float
    """When it was told of last."""

    def deed(self, at: datetime, *, so_far: bool = False) -> Deed:
        return Deed(self.told.heard(self.heard.sum(), so_far=so_far), self.by, at)


class Listening:
    """The listenings that go on."""

    def __init__(self, trail: Trail, wall: Clock, clock: Callable[[], float] = monotonic) -> None:
        self._trail = trail
        self._wall = wall
        self._clock = clock
        self._open: dict[_Key, _One] = {}
        trail.follow(self._ended)

    def heard(self, recording: Recording, listener: Listener, how: ListenForm, size: int | None) -> Heard:
        """Return the listening that a request belongs to; one that begins is written down at once."""
        key = _Key(recording.id, recording.attempt, how, listener)
        one = self._open.get(key)
        if one is None:
            one = self._begin(key, recording, size)
        return one.heard

    def follow(
        self, response: Response, recording: Recording, listener: Listener, how: ListenForm, size: int | None = None
    ) -> None:
        """Note what *response* to a GET sends; one that says what is wrong is heard by nobody."""
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            return
        heard = self.heard(recording, listener, how, size)
        heard.touch()
        if isinstance(response, AudioResponse | GrowingResponse):
            response.heard = heard
        elif response.status_code == HTTPStatus.TEMPORARY_REDIRECT:
            heard.redirected = True

    def _begin(self, key: _Key, recording: Recording, size: int | None) -> _One:
        if len(self._open) >= MOST:
            first = self._open.pop(next(iter(self._open)))
            first.heard.is_over = True
            self._trail.put(first.deed(self._wall.now(), so_far=True))
        told = Told(
            secrets.token_hex(8), recording.id, recording.tenant_id, recording.attempt, key.how, key.listener.by
        )
        by = By(key.listener.actor, key.listener.address)
        one = _One(told, by, Heard(size, self._wall.now(), self._clock), self._clock())
        self._open[key] = one
        self._trail.add(told.begun(), by)
        return one

    def _ended(self, everything: bool) -> Iterator[Deed]:
        now = self._clock()
        for key, one in list(self._open.items()):
            if everything or one.heard.is_quiet(QUIET):
                one.heard.is_over = True
                del self._open[key]
                yield one.deed(self._wall.now())
            elif now - one.told_s >= LONG.total_seconds():
                if one.heard.last_s > one.told_s:
                    yield one.deed(self._wall.now(), so_far=True)
                one.told_s = now
