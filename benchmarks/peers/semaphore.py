"""A counter of slots in Valkey, for the peers that have no limit of their own, as one writes it by hand.

It never waits. It is not what callspool does: a worker that dies keeps its slot for ever.
"""

from typing import Any, Final

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

_ACQUIRE: Final = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end
return redis.call('INCR', KEYS[1])
"""


class Semaphore:
    """For threads."""

    def __init__(self, url: str, slots: int) -> None:
        self._client: Any = Redis.from_url(url)
        self._slots = slots
        self._acquire = self._client.register_script(_ACQUIRE)

    def acquire(self, tenant: int) -> bool:
        """Take a slot of the tenant, or say that there is none."""
        return bool(self._acquire(keys=[f"slots:{tenant}"], args=[self._slots]))

    def release(self, tenant: int) -> None:
        """Give it back."""
        self._client.decr(f"slots:{tenant}")


class AsyncSemaphore:
    """For an event loop."""

    def __init__(self, url: str, slots: int) -> None:
        self._client: Any = AsyncRedis.from_url(url)
        self._slots = slots
        self._acquire = self._client.register_script(_ACQUIRE)

    async def acquire(self, tenant: int) -> bool:
        """Take a slot of the tenant, or say that there is none."""
        return bool(await self._acquire(keys=[f"slots:{tenant}"], args=[self._slots]))

    async def release(self, tenant: int) -> None:
        """Give it back."""
        await self._client.decr(f"slots:{tenant}")
