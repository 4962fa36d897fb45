"""How many shards there are: written in Valkey once for all, and changed only where nothing is left in the old ones.

Two numbers at once would be two schedulers, each of which hands out all the slots (I1). Three things keep that from
happening, whatever is lost and whoever is late:

- Who starts with another number than the one in force is refused, unless its shards are empty. Those it closes, each
  in one step with the look whether it is empty, before it writes its own number: processes of the old number, of any
  version, are then granted nothing.
- Who works with a number asks again several times in a lease time whether it is still in force, and trusts no lease
  for longer than one lease time after the last such answer.
- New shards grant nothing for one lease time, unless their starter knows that nobody lives. So where all data was lost
  and another number came first, leases of the old one have ended by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from callspool.domain.errors import Misconfigured
from callspool.scheduler.connection import Functions, other_layout, shard_names
from callspool.scheduler.keys import Keys

MOST_SHARDS: Final = 64
QUIET_MS: Final = 60_000
"""Who was not heard for so long does not work with the old number any more."""
_NAMES: Final = 200
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class _Left:
    """What is left in the shards of a layout."""

    running: int
    deferred: int
    waiting: int
    is_closed: bool
    is_retired: bool
    """Some of them were closed for another layout."""

    def __bool__(self) -> bool:
        return self.running + self.deferred + self.waiting > 0


async def join(shards: Sequence[Functions], tenants: Sequence[str], *, alone: bool = False) -> None:
    """Begin to work with these shards: with the number in force, or instead of one whose shards are empty.

    *tenants* are all that may have jobs; *alone*: the caller knows that no other process works on this Valkey.
    Raises `Misconfigured` where another number is in force and stays so.
    """
    mine, first = len(shards), shards[0]
    for _ in range(_TRIES):  # another may come first, with any number
        found = await first.layout()
        if found.shards == mine:
            await _reopen(shards, found.generation)
            return
        others = [found.shards] if found.shards else await _unwritten(first)
        if not found.shards and await _is_at_work(shards):
            others = []  # a version that wrote no layout works with this number
        for other in others:
            if other != mine:
                must_be_closed = not alone and (not found.shards or found.quiet_ms < QUIET_MS)
                await _retire(first.url, other, mine, tenants, found.generation, must_be_closed=must_be_closed)
        await first.layout(instead_of=str(found.generation))
    raise other_layout((await first.layout()).shards, mine)


async def _reopen(shards: Sequence[Functions], generation: int) -> None:
    """Open what made way for other shards before our number counted (again), or for some that never came."""
    left = await _ask(shards, "reopen", generation)
    if left.is_retired:
        # Who closed them died before its number was written. If it lives after all, it comes too late with this.
        taken = await shards[0].layout(instead_of=str(generation))
        if taken.shards == len(shards):
            await _ask(shards, "reopen", taken.generation)


async def _unwritten(functions: Functions) -> list[int]:
    """Return the numbers of shards that there are keys of: a version of before wrote no layout."""
    # One after the other: asked at once they would open a connection each, and those stay.
    counts = range(1, MOST_SHARDS + 1)
    return [count for count in counts if await functions.has(Keys(shard_names(count)[0]).epoch)]


async def _is_at_work(shards: Sequence[Functions]) -> bool:
    """Say whether jobs came to these shards, and are still taken."""
    came = [await shard.has(shard.keys.seq) for shard in shards]
    return any(came) and not (await _ask(shards, "look", 0)).is_closed


async def _retire(
    url: str, old: int, new: int, tenants: Sequence[str], generation: int, *, must_be_closed: bool
) -> None:
    shards = [Functions(url, name, confirm_every_s=None) for name in shard_names(old)]
    try:
        left = await _ask(shards, "look", generation, tenants)
        if left:
            raise Misconfigured(_refusal(old, new, _said(left)))
        if must_be_closed and not left.is_closed:
            raise Misconfigured(_refusal(old, new, "processes may be at work with them"))
        if left := await _ask(shards, "close", generation, tenants):
            if not left.is_closed:  # something came in between: those that were closed for us go on
                await _ask(shards, "reopen", generation + 1)
            raise Misconfigured(_refusal(old, new, _said(left)))
    finally:
        for shard in shards:
            await shard.close()


async def _ask(shards: Sequence[Functions], mode: str, generation: int, tenants: Sequence[str] = ()) -> _Left:
    parts = [tenants[at : at + _NAMES] for at in range(0, len(tenants), _NAMES)] or [()]
    replies = [[await shard.call("retire", mode, generation, *some) for some in parts] for shard in shards]
    return _Left(
        running=sum(of_shard[-1][0] for of_shard in replies),
        deferred=sum(of_shard[-1][1] for of_shard in replies),
        waiting=sum(reply[2] for of_shard in replies for reply in of_shard),
        is_closed=all(of_shard[-1][3] == 1 for of_shard in replies),
        is_retired=any(of_shard[-1][4] == 1 for of_shard in replies),
    )


def _said(left: _Left) -> str:
    return f"{left.running} job(s) run there, {left.deferred} are put off, those of {left.waiting} tenant(s) wait"


def _refusal(old: int, new: int, why: str) -> str:
    return (
        f"CALLSPOOL_SHARDS is {new}, but this Valkey works with {old}, and {why}. "
        f"Keep CALLSPOOL_SHARDS={old}; or run 'callspool drain' with it, then start everything with {new}."
    )
