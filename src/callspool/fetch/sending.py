"""A message to an endpoint, as the work of one lease: sent once, then settled or put off. Nothing waits here.

It may arrive twice (a worker dies between the answer and the commit), always under the same id; never not at all
while the endpoint is in use.
"""

from datetime import timedelta
from typing import Final

import structlog

from callspool.domain.backoff import full_jitter
from callspool.domain.errors import NotFound
from callspool.domain.job import Lease, Settlement, Signal, Stop
from callspool.domain.webhook import RETRIES, Delivery, Refused
from callspool.fetch.job import Tools
from callspool.fetch.leased import Leased
from callspool.fetch.sender import Answer, send

_GONE: Final = 410
_THROTTLED: Final = 429


class Sending(Leased):
    """The work of one lease on a message."""

    def __init__(self, tools: Tools, lease: Lease) -> None:
        super().__init__(lease)
        self._tools = tools
        self._log = structlog.get_logger().bind(endpoint_id=lease.job.pool, delivery_id=lease.job.id)

    async def run(self) -> Settlement:
        """Send it, and note what came of it."""
        tools = self._tools
        try:
            found = await tools.store.to_deliver(self._lease.job.id)
        except NotFound:
            found = None
        if found is None:
            return self.done()
        endpoint, delivery = found
        now = tools.clock.now()
        if delivery.not_before is not None and now < delivery.not_before:
            return self.later(delivery.not_before - now)  # submitted anew, or woken too early
        private = tools.settings.webhook_private
        answer = await send(endpoint, delivery.id, delivery.payload.encode(), now, private=private)
        if answer.error is None and answer.status is not None:
            await tools.store.delivered(delivery, answer.status)
            self._log.info("webhook.delivered", status=answer.status, attempts=delivery.attempts + 1)
            return self.done(Signal.OK)
        return await self._again(delivery, answer)

    async def hand_back(self) -> Settlement:
        """Nothing was written: the next worker sends it."""
        return self.later(timedelta())

    def note(self, why: Stop) -> None:
        """Log that it is stopped."""
        self._log.warning("webhook.lease_lost" if why is Stop.LOST else "webhook.cancelled")

    async def _again(self, delivery: Delivery, answer: Answer) -> Settlement:
        tools = self._tools
        failures = delivery.attempts + 1
        delay = max(self._wait(failures), answer.retry_after or timedelta())
        refused = Refused(
            answer.error or "",
            answer.status,
            tools.clock.now() + delay if failures <= len(RETRIES) else None,
            gone=answer.status == _GONE,
        )
        disabled = await tools.store.not_delivered(
            delivery, refused, disable_after=tools.settings.webhook_disable_after
        )
        self._log.warning("webhook.not_delivered", status=answer.status, error=answer.error, attempts=failures)
        if disabled:
            self._log.error("webhook.disabled")
        if disabled or refused.again_at is None:
            return self.done(Signal.FAILED)
        return self.later(delay, signal=Signal.THROTTLED if answer.status == _THROTTLED else Signal.FAILED)

    def _wait(self, failures: int) -> timedelta:
        """Half of the recommended wait at least: others who failed at the same time come at another."""
        ceiling = full_jitter(failures, 1.0, RETRIES) * self._tools.settings.retry_scale
        return ceiling * (0.5 + self._tools.random.random() / 2)
