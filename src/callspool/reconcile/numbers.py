"""Find tenants by phone number, for accounts that serve many.

What comes in for such an account waits, queued, under its default tenant, which is paused: seen, kept, and not fetched.
Here its call is asked for, one question after another, and once the numbers tell whose it is, it goes there. What they
do not tell stays; nothing is guessed. A call that cannot be had holds up no other, nor an account another. Several
processes may run this: all it does is idempotent.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from callspool.domain.errors import FetchFailed, Unavailable
from callspool.domain.ids import AccountId, RecordingId
from callspool.domain.job import Job
from callspool.domain.ports.provider import Provider
from callspool.domain.ports.scheduler import Bulletin, Producer
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Reason
from callspool.domain.recording import Call, Recording
from callspool.domain.tenant import Account
from callspool.loop import for_ever

BATCH: Final = 50

_EVERY: Final = timedelta(seconds=3)
_REST: Final = timedelta(minutes=1)
"""How long a call that was not told, or an account that tells nothing, is left alone."""
_STEP_S: Final = 10.0
"""After so long a step asks no more: others have their turn."""
_MOST_AT_ONCE: Final = 8
"""Accounts."""
_MOST_IN_A_ROW: Final = 3
"""After so many calls that were not told it is taken to be the account."""
_OF_THE_ACCOUNT: Final = frozenset({Reason.UNAUTHORIZED, Reason.THROTTLED, Reason.UNREACHABLE})
_NOT_TOLD: Final = Call(None, None, "unknown")


@dataclass(slots=True)
class _Round:
    """How far the questions of one account are."""

    after: RecordingId | None = None
    failures: int = 0
    """In a row."""
    rests_until: float = 0.0
    left_alone: dict[RecordingId, float] = field(default_factory=dict)
    """Calls that were not told, until when."""


class NumberRouter:
    """Runs until it is cancelled, which may be at any time."""

    def __init__(
        self,
        *,
        store: Store,
        producer: Producer,
        bulletin: Bulletin,
        providers: Mapping[str, Provider],
        pause: timedelta,
    ) -> None:
        """*pause* lies between two questions to a provider."""
        self._store = store
        self._producer = producer
        self._bulletin = bulletin
        self._providers = providers
        self._pause = pause
        self._rounds: dict[AccountId, _Round] = {}
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)
        self._log = structlog.get_logger("callspool.reconcile")

    async def run(self) -> None:
        """Look again and again, for ever."""
        await for_ever("numbers", self.turn, rest=_EVERY)

    async def turn(self) -> None:
        """Take a step for each account; what goes wrong with one is raised when the others have had theirs."""
        accounts = [account for account in await self._store.accounts() if account.by_number]
        for ended in await asyncio.gather(*map(self._step_in_room, accounts), return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended

    async def step(self, account: Account) -> None:
        """Pass on what is known by now, and ask for some calls."""
        await self._pass_on(account)
        time = asyncio.get_running_loop().time
        its, end = self._rounds.setdefault(account.id, _Round()), time() + _STEP_S
        some = await self._store.set_aside(account, after=its.after, limit=BATCH) if time() >= its.rests_until else ()
        for recording in some:
            its.after = recording.id
            if its.left_alone.get(recording.id, 0.0) > time():
                continue
            await self._ask(account, recording, its)
            await self._pass_on(account)
            if its.rests_until > time() or time() > end:
                return  # the next step goes on behind this one
            await asyncio.sleep(self._pause.total_seconds())
        if len(some) < BATCH:
            its.after = None
            its.left_alone = {one: until for one, until in its.left_alone.items() if until > time()}

    async def _step_in_room(self, account: Account) -> None:
        async with self._room:
            await self.step(account)

    async def _ask(self, account: Account, recording: Recording, its: _Round) -> None:
        """Ask whose call it is and note it; where that is not told, leave the recording, or the account, alone."""
        now = asyncio.get_running_loop().time()
        log = self._log.bind(account_id=account.id, recording_id=recording.id)
        try:
            call = await self._providers[account.provider].call(account, recording)
        except FetchFailed as failed:
            its.failures += 1
            its.left_alone[recording.id] = now + _REST.total_seconds()
            if failed.reason in _OF_THE_ACCOUNT or its.failures >= _MOST_IN_A_ROW:
                its.failures = 0
                its.rests_until = now + max(_REST, failed.retry_after or _REST).total_seconds()
            log.warning("numbers.not_told", reason=failed.reason)
        except Unavailable:
            raise
        except Exception:
            # A defect that one call shows must not keep the calls behind it from being asked for.
            its.left_alone[recording.id] = now + _REST.total_seconds()
            log.exception("numbers.not_understood")
        else:
            its.failures = 0
            await self._store.describe(recording.id, call or _NOT_TOLD)

    async def _pass_on(self, account: Account) -> None:
        for recording, tenant_id in await self._store.assignable(account, limit=BATCH):
            await self._producer.cancel(recording.id)
            assigned = await self._store.assign(recording, tenant_id)
            if assigned is None:
                continue
            await self._producer.cancel(recording.id)  # the reconciler may have submitted it between
            await self._producer.submit(Job(assigned.id, assigned.account_id, assigned.tenant_id))
            await self._bulletin.ring()
            self._log.info("recording.assigned", tenant_id=tenant_id, recording_id=assigned.id)
