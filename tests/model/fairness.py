"""Whose turn it is: no tenant, pool or lane that could be served is passed over too often."""

import math
from collections import Counter
from collections.abc import Callable, Sequence, Set

BULK_FLOOR = 5
"""Of a tenant's jobs in a pool at least one in so many is bulk, while it has both."""
BYPASS = 2
"""How often more than by its weight another tenant may go first: one grant is under way, one is rounding."""
POOL_BYPASS = 3


class Fairness:
    """How all fared so far. It raises `AssertionError` where one is wronged."""

    def __init__(self) -> None:
        self._streaks: Counter[str] = Counter()
        """How many interactive jobs in a row a tenant was granted while it had bulk waiting."""
        self._passed: Counter[tuple[str, str, str]] = Counter()
        """Pool, tenant, other: how often that one was served there while the tenant could have been."""
        self._pools_passed: Counter[tuple[str, str]] = Counter()

    def interactive_in_a_row(self, tenant: str) -> int:
        """Return how many interactive jobs it was granted while others waited that may be bulk."""
        return self._streaks[tenant]

    def check_lane(
        self, tenant: str, name: str, lane: str, interactive: Sequence[str], bulk: Sequence[str], *, elsewhere: bool
    ) -> None:
        """Is this job, with the lines that it comes from, its tenant's next? It may wait *elsewhere* too."""
        first = interactive[0] if lane == "interactive" else bulk[0]
        assert name == first, f"{name} goes before {first}"
        is_bulks_turn = self._streaks[tenant] >= BULK_FLOOR - 1
        if interactive and bulk:
            said = f"{name} is {lane}, after {self._streaks[tenant]} interactive ones"
            assert (lane == "bulk") == is_bulks_turn, said
            self._streaks[tenant] = 0 if is_bulks_turn else self._streaks[tenant] + 1
        elif bulk and is_bulks_turn:
            self._streaks[tenant] = 0
        elif interactive and elsewhere:
            self._streaks[tenant] += 1

    def check_turn(self, pool: str, tenant: str, able: Set[tuple[str, str]], weight: Callable[[str], float]) -> None:
        """Is it this tenant's turn in this pool, while all those are *able*?"""
        for waiting in {one for its, one in able if its == pool} - {tenant}:
            self._passed[pool, waiting, tenant] += 1
            times, share = self._passed[pool, waiting, tenant], weight(tenant) / weight(waiting)
            assert times <= math.ceil(share) + BYPASS, f"{waiting} waits, {tenant} went first {times} times"
        for waiting in {its for its, _ in able} - {pool}:
            self._pools_passed[waiting, pool] += 1
            times = self._pools_passed[waiting, pool]
            assert times <= POOL_BYPASS, f"pool {waiting} waits, {pool} went first {times} times"
        self._keep(lambda its, one: (its, one) != (pool, tenant), lambda its: its != pool)

    def forget_all_but(self, able: Set[tuple[str, str]]) -> None:
        """Who cannot be served is owed nothing."""
        pools = {pool for pool, _ in able}
        self._keep(lambda pool, tenant: (pool, tenant) in able, lambda pool: pool in pools)

    def forget_debts(self) -> None:
        """What tenants are owed by old weights is void."""
        self._passed.clear()

    def _keep(self, tenant: Callable[[str, str], bool], pool: Callable[[str], bool]) -> None:
        self._passed = Counter({key: times for key, times in self._passed.items() if tenant(key[0], key[1])})
        self._pools_passed = Counter({key: times for key, times in self._pools_passed.items() if pool(key[0])})
