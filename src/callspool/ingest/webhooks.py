"""From a provider's webhook to a queued recording: checked, committed, submitted, told. In this order.

What was committed is acknowledged even where the scheduler is away: the reconciler submits it then. What was
not committed is never acknowledged. Nothing is fetched here.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import structlog

from callspool.domain.errors import BadSignature, NotFound, SchedulerUnavailable
from callspool.domain.ids import AccountId, TenantId
from callspool.domain.job import Job
from callspool.domain.ports.provider import Provider, Recorded, WebhookRequest
from callspool.domain.ports.scheduler import Bulletin, Producer
from callspool.domain.ports.store import Store
from callspool.domain.recording import Recording, State
from callspool.domain.tenant import Account

ACTOR: Final = "webhook"

SUBMIT_TIME: Final = timedelta(seconds=3)
"""Providers wait about 15 s for an answer: a scheduler that hangs must not use that up."""


class Ingest:
    """Takes webhooks in. It holds no state: any number of processes may run it."""

    def __init__(
        self,
        store: Store,
        producer: Producer,
        bulletin: Bulletin,
        providers: Mapping[str, Provider],
        count: Callable[[AccountId], None],
    ) -> None:
        """Give as *count* what refuses an account's webhook where there were too many; only signed ones are counted."""
        self._store = store
        self._producer = producer
        self._bulletin = bulletin
        self._providers = providers
        self._count = count
        self._log = structlog.get_logger("callspool.ingest")

    async def receive(
        self, provider: str, account_id: AccountId, tenant_id: TenantId | None, request: WebhookRequest
    ) -> Recorded | None:
        """Take one webhook in. A repeated one changes nothing and returns the same; None: it is of no concern to us.

        Raises `BadSignature` (also for an unknown account: a stranger learns nothing), `InvalidInput`,
        `NotFound` for a tenant that does not exist, and `StoreUnavailable`: then nothing was acknowledged.
        """
        account = await self._account(provider, account_id)
        notice = self._providers[provider].read_webhook(account, tenant_id or account.default_tenant, request)
        self._count(account_id)
        if notice is None:
            return None
        await self._store.tenant(notice.tenant_id)
        recorded = await self._store.record(notice, actor=ACTOR)
        recording = recorded.recording
        self._log.info(
            "webhook.received",
            tenant_id=recording.tenant_id,
            recording_id=recording.id,
            state=recording.state,
            changed=recorded.changed,
        )
        if recorded.changed:
            await self._pass_on(recording)
        else:
            await self._store.note_repeat(recording, notice.status)
        return recorded

    async def _account(self, provider: str, account_id: AccountId) -> Account:
        try:
            account = await self._store.account(account_id)
        except NotFound:
            raise BadSignature(f"there is no account {account_id!r}") from None
        if account.provider != provider or provider not in self._providers:
            raise BadSignature(f"{account_id!r} is not an account of {provider}")
        return account

    async def _pass_on(self, recording: Recording) -> None:
        try:
            async with asyncio.timeout(SUBMIT_TIME.total_seconds()):
                if recording.state is State.QUEUED:
                    await self._producer.submit(Job(recording.id, recording.account_id, recording.tenant_id))
                await self._bulletin.ring()
        except (SchedulerUnavailable, TimeoutError):
            self._log.warning("job.not_submitted", tenant_id=recording.tenant_id, recording_id=recording.id)
