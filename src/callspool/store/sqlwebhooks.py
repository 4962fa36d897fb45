"""The `WebhookStore` port over either engine. What each method promises stands in ``domain.webhook``."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from callspool.domain.audit import CALLSPOOL, Act, By
from callspool.domain.ids import TenantId
from callspool.domain.webhook import Delivery, Endpoint, Refused
from callspool.store import webhooks
from callspool.store.sqlpart import SqlPart


class SqlWebhooks(SqlPart):
    """The part of the store that outbound webhooks use."""

    async def add_endpoint(self, endpoint: Endpoint, *, by: By = CALLSPOOL) -> None:
        act = Act("webhook.add", endpoint.id, endpoint.tenant_id, {"events": endpoint.events})
        await self._act(by, act, lambda c: webhooks.add(c, endpoint, self._envelope))

    async def endpoints(self, tenant_id: TenantId | None) -> Sequence[Endpoint]:
        return await self._database.read(lambda c: webhooks.every(c, tenant_id, self._envelope))

    async def endpoint(self, tenant_id: TenantId | None, endpoint_id: str) -> Endpoint:
        return await self._database.read(lambda c: webhooks.get(c, tenant_id, endpoint_id, self._envelope))

    async def remove_endpoint(self, tenant_id: TenantId | None, endpoint_id: str, *, by: By = CALLSPOOL) -> None:
        await self._act(
            by,
            lambda owner: Act("webhook.remove", endpoint_id, owner),
            lambda c: webhooks.remove(c, tenant_id, endpoint_id),
        )

    async def rotate_endpoint(
        self, tenant_id: TenantId | None, endpoint_id: str, secret: str, *, by: By = CALLSPOOL
    ) -> Endpoint:
        now = self._clock.now()
        return await self._act(
            by,
            lambda endpoint: Act("webhook.rotate", endpoint_id, endpoint.tenant_id),
            lambda c: webhooks.rotate(c, tenant_id, endpoint_id, secret, self._envelope, now),
        )

    async def enable_endpoint(self, tenant_id: TenantId | None, endpoint_id: str, *, by: By = CALLSPOOL) -> Endpoint:
        return await self._act(
            by,
            lambda endpoint: Act("webhook.enable", endpoint_id, endpoint.tenant_id),
            lambda c: webhooks.enable(c, tenant_id, endpoint_id, self._envelope),
        )

    async def deliveries(self, tenant_id: TenantId | None, endpoint_id: str, *, limit: int) -> Sequence[Delivery]:
        endpoint = await self.endpoint(tenant_id, endpoint_id)
        return await self._database.read(lambda c: webhooks.newest(c, endpoint.id, limit))

    async def pending_deliveries(
        self, after: str | None, *, limit: int, submitted: bool | None = None
    ) -> Sequence[Delivery]:
        return await self._database.read(lambda c: webhooks.pending(c, after, limit, submitted))

    async def deliveries_submitted(self, ids: Sequence[str]) -> None:
        await self._database.write(lambda c: webhooks.note_submitted(c, ids))

    async def to_deliver(self, message_id: str) -> tuple[Endpoint, Delivery] | None:
        return await self._database.read(lambda c: webhooks.to_deliver(c, message_id, self._envelope))

    async def delivered(self, delivery: Delivery, status: int) -> None:
        await self._database.write(lambda c: webhooks.delivered(c, delivery, status, self._clock.now()))

    async def not_delivered(self, delivery: Delivery, refused: Refused, *, disable_after: timedelta) -> bool:
        now = self._clock.now()
        return await self._database.write(lambda c: webhooks.not_delivered(c, delivery, refused, now, disable_after))

    async def forget_deliveries(self, before: datetime, *, limit: int) -> int:
        return await self._database.write(lambda c: webhooks.forget(c, before, limit))
