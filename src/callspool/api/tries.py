"""Tries to hear something that were refused, for the audit log: the first at once, those that follow as a number.

Whoever tries in a flood, from however many addresses, makes a bounded number of entries a minute.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from callspool.api.trail import Trail
from callspool.domain import listening
from callspool.domain.audit import By, Deed
from callspool.domain.ids import RecordingId, TenantId
from callspool.domain.ports.clock import Clock

NOBODY: Final = "nobody"
"""Who did not say who it is, or cannot prove it."""
OTHERS: Final = By("others")
"""All who try beyond those that are told apart."""
WINDOW: Final = timedelta(minutes=1)
MOST: Final = 20
"""Who tries what, told apart at once."""
_MOST_RECORDINGS: Final = 5

TOLD: Final = frozenset(
    {"unauthenticated", "scope_missing", "bad_link", "link_expired", "not_found", "purged"}  # of `problems.KINDS`
)
"""The refusals that are about who asks, or about what must not be heard any more. The rest is not there yet."""


@dataclass(slots=True)
class _Seen:
    until_s: float
    first: datetime
    last: datetime
    tries: int = 0
    recordings: list[RecordingId] = field(default_factory=list)

    def add(self, recording_id: RecordingId, at: datetime) -> None:
        if not self.tries:
            self.first = at
        self.tries += 1
        self.last = at
        if recording_id not in self.recordings and len(self.recordings) < _MOST_RECORDINGS:
            self.recordings.append(recording_id)


class Tries:
    """What was refused lately, in this process."""

    def __init__(self, trail: Trail, wall: Clock, clock: Callable[[], float] = monotonic) -> None:
        self._trail = trail
        self._wall = wall
        self._clock = clock
        self._seen: dict[tuple[str, By, TenantId | None], _Seen] = {}
        trail.follow(self._over)

    def refused(self, why: str, recording_id: RecordingId, by: By, tenant_id: TenantId | None) -> None:
        """Note one. *tenant_id*: whose the one is who tried, where that is known."""
        if why not in TOLD:
            return
        at = self._wall.now()
        seen = self._seen.get((why, by, tenant_id))
        if seen is None and len(self._seen) < MOST:
            self._seen[why, by, tenant_id] = self._new(at)
            self._trail.add(listening.refused(why, [recording_id], tenant_id, 1, at, at), by)
            return
        if seen is None:
            seen = self._seen.setdefault((why, OTHERS, None), self._new(at))
        seen.add(recording_id, at)

    def _new(self, at: datetime) -> _Seen:
        return _Seen(self._clock() + WINDOW.total_seconds(), at, at)

    def _over(self, everything: bool) -> Iterator[Deed]:
        at = self._wall.now()
        for key, seen in list(self._seen.items()):
            if not everything and self._clock() < seen.until_s:
                continue
            why, by, tenant_id = key
            if seen.tries:  # who goes on is told of once a minute
                yield Deed(
                    listening.refused(why, seen.recordings, tenant_id, seen.tries, seen.first, seen.last), by, at
                )
                self._seen[key] = self._new(at)
            else:
                del self._seen[key]
