"""A bell between processes: the store has new events. Only a hint, so it may fail in silence."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from callspool.domain.errors import SchedulerUnavailable
from callspool.scheduler.connection import Functions, one_node, unavailable

_LOOK_ANYWAY_S = 5.0


class ValkeyBulletin:
    """`domain.ports.scheduler.Bulletin` over Valkey's publish and subscribe."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    async def ring(self) -> None:
        """Publish; whoever misses it looks after a few seconds anyway."""
        with contextlib.suppress(SchedulerUnavailable), unavailable():
            await self._functions.publish(self._functions.keys.changed)

    async def listen(self) -> AsyncIterator[None]:
        """Yield at each burst of rings and at least every five seconds, also while Valkey is away."""
        while True:
            try:
                async with one_node(self._functions.url) as node:
                    subscription = node.pubsub(ignore_subscribe_messages=True)  # it is closed with the node's client
                    with unavailable():
                        await subscription.subscribe(self._functions.keys.changed)
                    yield None  # something may have happened before we were subscribed
                    while True:
                        with unavailable():
                            message = await subscription.get_message(timeout=_LOOK_ANYWAY_S)
                            while message is not None:
                                message = await subscription.get_message(timeout=0)
                        yield None
            except SchedulerUnavailable:
                yield None
                # Nobody's job waits here: it is the pace at which an absent server is called again.
                await asyncio.sleep(1)
