"""A memory for what is asked again and again: short, bounded, of one process."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Final, Generic, TypeVar

MEMORY: Final = timedelta(seconds=1)
"""How long a key that was revoked, or a recording that was deleted, may still be played."""

_MOST: Final = 4096

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values for a time each, mostly a second, and a bounded number of them."""

    def __init__(self, clock: Callable[[], float] = monotonic, memory: timedelta = MEMORY) -> None:
        self._clock = clock
        self._memory_s = memory.total_seconds()
        self._values: dict[K, tuple[float, V]] = {}

    def get(self, key: K) -> V | None:
        """Return what was put there in that time."""
        until, value = self._values.get(key, (0.0, None))
        return value if self._clock() < until else None

    def is_old(self, key: K) -> bool:
        """Say whether more than half of its time is over."""
        until, _ = self._values.get(key, (0.0, None))
        return self._clock() > until - self._memory_s / 2

    def put(self, key: K, value: V) -> None:
        """Remember it for that time."""
        if len(self._values) >= _MOST:
            self._values.clear()
        self._values[key] = (self._clock() + self._memory_s, value)

    def forget(self, key: K) -> None:
        """Remember it no longer."""
        self._values.pop(key, None)
