"""What of a recording one listener was sent, as it is sent. It is told of each piece, by the thousand in a second."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from callspool.domain.listening import Span, Sum

MOST_SPANS: Final = 32
"""Stretches of the file that are told apart."""
_MOST_NEW: Final = 64
"""Pieces that are put in order at once: one by one would cost as much as sending them."""


class Heard:
    """One listening while it goes on."""

    __slots__ = (
        *("is_over", "last_s", "redirected", "requests", "sent", "size"),
        *("_clock", "_first", "_first_s", "_in_flight", "_is_coarse", "_new", "_spans"),
    )

    def __init__(self, size: int | None, at: datetime, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._first = at
        self._first_s = self.last_s = clock()
        self._in_flight = 0
        self._is_coarse = False
        self._new: list[Span] = []
        self._spans: list[Span] = []
        self.size = size
        """Of what is sent; None: not known yet."""
        self.sent = 0
        self.requests = 0
        self.redirected = False
        self.is_over = False
        """It was told of: what is sent from now on is another listening."""

    def add(self, start: int, end: int) -> None:
        """Note that these bytes were given to the network."""
        self.sent += end - start
        self.last_s = self._clock()
        self._new.append((start, end))
        if len(self._new) >= _MOST_NEW:
            self._settle()

    def touch(self) -> None:
        """Note a request."""
        self.requests += 1
        self.last_s = self._clock()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Keep it from being over while an answer is on its way: a player that has enough for now reads nothing."""
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            self.last_s = self._clock()

    def is_quiet(self, pause: timedelta) -> bool:
        """Say whether nothing was asked for or sent for so long."""
        return not self._in_flight and self._clock() - self.last_s >= pause.total_seconds()

    def sum(self) -> Sum:
        """Return what it was until now."""
        self._settle()
        last = self._first + timedelta(seconds=self.last_s - self._first_s)
        return Sum(
            requests=self.requests,
            sent=self.sent,
            spans=tuple(self._spans),
            is_coarse=self._is_coarse,
            size=self.size,
            first=self._first,
            last=last,
            redirected=self.redirected,
        )

    def _settle(self) -> None:
        merged: list[Span] = []
        for start, end in sorted([*self._spans, *self._new]):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        self._new.clear()
        if len(merged) > MOST_SPANS:
            self._is_coarse = True
            merged = _coarser(merged)
        self._spans = merged


def _coarser(spans: Sequence[Span]) -> list[Span]:
    """Return as few as are kept, parted where the widest gaps are."""

    def gap(index: int) -> int:
        return spans[index][0] - spans[index - 1][1]

    cuts = sorted(sorted(range(1, len(spans)), key=gap, reverse=True)[: MOST_SPANS - 1])
    return [(spans[begin][0], spans[end - 1][1]) for begin, end in zip([0, *cuts], [*cuts, len(spans)], strict=True)]
