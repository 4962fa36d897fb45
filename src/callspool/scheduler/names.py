"""Which pools and tenants the scheduler keeps limits of, and how it forgets those that are no more."""

from collections.abc import Collection, Sequence
from typing import Final

from callspool.domain.job import Names
from callspool.scheduler.connection import Functions, unavailable

_STEP: Final = 200
_POOLS: Final = 50
"""Pools in one call, which goes through so many for each tenant that stays."""


async def kept(shards: Sequence[Functions]) -> Names:
    """Return those whose limits were ever set and that were not forgotten since."""
    return Names(
        frozenset([name for shard in shards for name in await _members(shard, shard.keys.pools)]),
        frozenset([name for shard in shards for name in await _members(shard, shard.keys.tenants)]),
    )


async def _members(shard: Functions, key: str) -> set[str]:
    """Walk through a set in bounded steps."""
    found: set[str] = set()
    cursor = b"0"
    with unavailable():
        while True:
            cursor, names = await shard.client.execute_command("SSCAN", key, cursor, "COUNT", _STEP)
            found.update(name.decode() for name in names)
            if int(cursor) == 0:
                return found


async def prune(shard: Functions, pools: Sequence[str], tenants: Sequence[str], staying: Collection[str]) -> int:
    """Forget pools and tenants in one shard, where nothing is left of them; return how many were."""
    forgotten = 0
    for at in range(0, len(tenants), _STEP):
        some = tenants[at : at + _STEP]
        forgotten += await shard.call("prune", 0, len(some), *some)
    stay = sorted(staying)
    for at in range(0, len(pools), _POOLS):
        those = pools[at : at + _POOLS]
        forgotten += await shard.call("prune", len(those), *those, 0, *stay[:_STEP])
        for next_at in range(_STEP, len(stay), _STEP):
            await shard.call("prune", len(those), *those, 0, *stay[next_at : next_at + _STEP])
    return forgotten
