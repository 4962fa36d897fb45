"""Find tenants by phone number, for accounts that serve many.

What comes in for such an account waits, queued, under its default tenant, which is paused: seen, kept, and not fetched.
Here its call is asked for, one question after another, and once the numbers tell whose it is, it goes there. What they
do not tell stays; nothing is guessed. Several processes may run this: all it does is idempotent.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from callspool.domain.errors import FetchFailed, Unavailable
from callspool.domain.ids import AccountId
from callspool.domain.job import Job
from callspool.domain.ports import Bulletin, Producer, Provider, Store
from callspool.domain.recording import Call
from callspool.domain.tenant import Account

BATCH: Final = 50

_EVERY_S: Final = 3.0
_REST_S: Final = 60.0
"""How long a provider that did not answer is left alone."""
_NOT_TOLD: Final = Call(None, None, "unknown")


class NumberRouter:
    """Runs until it is cancelled, which may be at any time."""

    def __init__(
        self, *, store: Store, producer: Producer, bulletin: Bulletin, providers: Mapping[str, Provider]
    ) -> None:
        self._store = store
        self._producer = producer
        self._bulletin = bulletin
        self._providers = providers
        self._rests_until: dict[AccountId, float] = {}
        self._log = structlog.get_logger("callspool.reconcile")

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            try:
                for account in await self._store.accounts():
                    if account.by_number:
                        await self.step(account)
            except Unavailable as error:
                self._log.warning("numbers.put_off", error=str(error))
            await asyncio.sleep(_EVERY_S)  # its pace; no job waits here

    async def step(self, account: Account) -> None:
        """Ask for some calls, and pass on what is known by now."""
        time = asyncio.get_running_loop().time
        if time() >= self._rests_until.get(account.id, 0.0):
            try:
                await self._ask(account)
            except FetchFailed as failed:
                self._rests_until[account.id] = time() + _REST_S
                self._log.warning("numbers.not_told", account_id=account.id, reason=failed.reason.value)
        for recording, tenant_id in await self._store.assignable(account, limit=BATCH):
            await self._producer.cancel(recording.id)
            assigned = await self._store.assign(recording, tenant_id)
            if assigned is None:
                continue
            await self._producer.cancel(recording.id)  # the reconciler may have submitted it between
            await self._producer.submit(Job(assigned.id, assigned.account_id, assigned.tenant_id))
            await self._bulletin.ring()
            self._log.info("recording.assigned", tenant_id=tenant_id, recording_id=assigned.id)

    async def _ask(self, account: Account) -> None:
        provider = self._providers[account.provider]
        for recording in await self._store.set_aside(account, limit=BATCH):
            await self._store.describe(recording.id, await provider.call(account, recording) or _NOT_TOLD)
