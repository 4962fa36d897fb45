"""How a pool keeps to its provider's pace: the limit in force, the circuit, the budget of retries."""

import math
from dataclasses import dataclass

FAILURES_IN_A_ROW = 5
FIRST_REST_MS, LONGEST_REST_MS = 5_000, 300_000
RETRIES_AT_ONCE = 20
RETRIES_FOR_A_GOOD_JOB = 0.2
NO_RETRIES_WAIT_MS = 60_000
SECOND_MS = 1_000
FASTEST_LASTS_MS = 10_000
LONGEST_ANSWER_MS = 3_600_000  # no test has a longer one


def _aged(fastest: int, silent_ms: int) -> int:
    """Return what it is a tenth longer for each ten seconds, in whole milliseconds."""
    for _ in range((silent_ms - 1) // FASTEST_LASTS_MS):
        if fastest > LONGEST_ANSWER_MS:
            break
        fastest = math.ceil(fastest * 1.1)
    return fastest


@dataclass(slots=True)
class Pool:
    """A pool's limits, and what it has learned of its provider."""

    limit: int = 0
    paused: bool = False
    rests_until: int = 0
    """Not 0: it rests, until a turn comes at that time or later."""
    window: float | None = None
    """The limit in force, where that is lower than the one that was set."""
    failures: int = 0
    trips: int = 0
    """How often in a row its circuit opened because of failures."""
    alone: bool = False
    """Its circuit is open: after the rest one job alone tries."""
    changes: int = 0
    """A job that was granted before the last of these says nothing."""
    changed_at: int = -LONGEST_REST_MS
    fastest: int | None = None
    fastest_at: int = 0
    retries: float = RETRIES_AT_ONCE

    @property
    def room(self) -> int:
        """The most that may run in it."""
        if self.paused or self.rests_until:
            return 0
        in_force = self.limit if self.window is None else math.floor(self.window)
        return min(self.limit, 1 if self.alone else in_force)

    def set(self, limit: int, *, paused: bool) -> None:
        """Change its limit. Ending a pause by hand forgets what the provider's answers caused."""
        if self.paused and not paused:
            self.rests_until, self.alone, self.failures, self.trips, self.window = 0, False, 0, 0, None
        elif self.window is not None and self.window >= limit:
            self.window = None
        self.limit, self.paused = limit, paused

    def rest(self, ms: int, now: int) -> None:
        """Grant nothing for so long; a longer rest stays."""
        self.rests_until = max(self.rests_until, now + ms)

    def heed(self, signal: str, latency_ms: int, pause_ms: int, delay_ms: int, now: int, *, is_news: bool) -> int:
        """Learn how a job ended; return how long its retry waits."""
        if signal == "ok":
            self._good(self._is_slow(latency_ms, now), now, is_news=is_news)
        elif signal == "throttled" and is_news:
            self._change(now)
            self._resize((self.window or self.limit) / 2)
        elif signal == "refused" and is_news:
            self._open(pause_ms, now)
        elif signal == "failed":
            delay_ms = self._failed(delay_ms, now, is_news=is_news)
        if signal != "refused" and pause_ms:
            self.rest(pause_ms, now)
        return delay_ms

    def _good(self, is_slow: bool, now: int, *, is_news: bool) -> None:
        self.retries = min(RETRIES_AT_ONCE, self.retries + RETRIES_FOR_A_GOOD_JOB)
        if not is_news:
            return
        if self.alone or self.failures:
            self.alone, self.failures, self.trips = False, 0, 0
        if is_slow:
            if abs(now - self.changed_at) >= SECOND_MS:
                self._change(now)
                self._resize((self.window or self.limit) * 0.9)
        elif self.window is not None:
            self._resize(self.window + 1 / self.window)

    def _failed(self, delay_ms: int, now: int, *, is_news: bool) -> int:
        if is_news:
            self.failures += 1
            if self.alone or self.failures == FAILURES_IN_A_ROW:
                self._open(min(LONGEST_REST_MS, FIRST_REST_MS * 2**self.trips), now)
                self.trips += 1
        has_one = self.retries >= 1
        self.retries = max(0, self.retries - 1)
        return delay_ms if has_one or delay_ms == 0 else max(delay_ms, NO_RETRIES_WAIT_MS)

    def _is_slow(self, latency_ms: int, now: int) -> bool:
        if latency_ms == 0:  # not measured
            return False
        fastest = self.fastest
        if fastest is None or latency_ms < fastest:
            self.fastest, self.fastest_at = latency_ms, now
        elif abs(now - self.fastest_at) > FASTEST_LASTS_MS:
            self.fastest, self.fastest_at = min(latency_ms, _aged(fastest, abs(now - self.fastest_at))), now
        return fastest is not None and latency_ms > 4 * fastest + 250

    def _open(self, rest_ms: int, now: int) -> None:
        self._change(now)
        self.alone, self.failures = True, 0
        self.rest(rest_ms, now)

    def _change(self, now: int) -> None:
        self.changes += 1
        self.changed_at = now

    def _resize(self, window: float) -> None:
        window = max(1, window)
        self.window = round(window, 4) if window < self.limit else None  # it is kept with four decimals
