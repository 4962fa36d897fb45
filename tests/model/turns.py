"""Which of its pools a tenant's last free slot is for: that which has waited longest, and a click before all."""

from collections.abc import Iterable
from dataclasses import dataclass, field

SHORTEST_MS, LONGEST_MS, AGAIN_MS, CLOSED_MS = 50, 10_000, 1_000, 60_000
BULK_FLOOR = 5


@dataclass(slots=True)
class Wait:
    """How a pool waits for one of the tenant's slots."""

    since: int
    click: bool = False
    """A click came since it had one."""


@dataclass(slots=True)
class Turns:
    """Those of one tenant."""

    waits: dict[str, Wait] = field(default_factory=dict)
    """Empty where it waits in one pool alone."""
    kept: tuple[str, int] | None = None
    """For which pool a slot is kept, and until when."""
    _in_vain: str = ""

    def lines_are(self, pools: Iterable[str], now: int) -> None:
        """Hear in which pools it waits."""
        pools = set(pools)
        if len(pools) < 2:
            self.waits, self.kept = {}, None
            return
        self.waits = {pool: self.waits.get(pool) or Wait(now) for pool in sorted(pools)}
        if self.kept and self.kept[0] not in pools:
            self.kept = None

    def click(self, pool: str) -> None:
        """Someone waits for a job there."""
        if pool in self.waits:
            self.waits[pool].click = True

    def had_slot(self, pool: str, now: int, *, more_clicks: bool) -> None:
        """A job was granted there."""
        if pool in self.waits:
            self.waits[pool] = Wait(now, more_clicks)
            if self.kept and self.kept[0] == pool:
                self.kept = None

    def next(self, free: int, interactive_in_a_row: int) -> str | None:
        """Return the only pool in which a job may be granted; None: in any."""
        if free != 1 or not self.waits:
            return None
        waits = self.waits
        if interactive_in_a_row >= BULK_FLOOR - 1:
            waits = {pool: wait for pool, wait in waits.items() if not wait.click} or waits
        return min(waits, key=lambda pool: (not waits[pool].click, waits[pool].since, pool))

    def keep(self, pool: str | None, now: int) -> None:
        """A call is over, and the last free slot is for that pool."""
        if pool and not (self.kept and self.kept[0] == pool):
            keeps = max(SHORTEST_MS, min(LONGEST_MS, (now - self.waits[pool].since) // 4))
            self.kept = pool, now + (AGAIN_MS if self._in_vain == pool else keeps)
        self._in_vain = ""

    def tick(self, closed: Iterable[str], now: int) -> None:
        """Heed the time: what was kept for long enough is for others first."""
        if not self.kept or self.kept[1] > now:
            return
        pool, self.kept = self.kept[0], None
        if pool in self.waits:
            self.waits[pool] = Wait(now + (CLOSED_MS if pool in closed else 0))
            self._in_vain = pool
