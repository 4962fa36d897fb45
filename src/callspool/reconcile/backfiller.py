"""The provider's list against the store: continuously over the last days, and over any span on demand.

What is to be listed, and how far it is, stands in the store; a process takes a run by a lease. So it makes no
difference which process was asked, and one that dies is followed by another.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from random import Random
from typing import Final

import structlog

from callspool.domain.backfill import Backfill
from callspool.domain.errors import FetchFailed, Unavailable
from callspool.domain.ids import AccountId
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.provider import Provider
from callspool.domain.ports.scheduler import Bulletin, Producer
from callspool.domain.ports.store import Store
from callspool.loop import for_ever
from callspool.reconcile.listing import Lister, Lost, Parts, PutOff
from callspool.settings import Settings
from callspool.tasks import cancel

_LOOK_EVERY: Final = timedelta(seconds=2)
"""How often the store is asked for a run that is due: one small question."""
_RELEASE_S: Final = 5.0
"""So long a run that is ended may take to say in the store that another may go on with it."""
MOST_AT_ONCE: Final = 16
"""Runs of a kind in one process, each of another account."""


class Backfiller:
    """Runs until it is stopped; any number of processes may have one."""

    def __init__(
        self,
        *,
        holder: str,
        store: Store,
        producer: Producer,
        bulletin: Bulletin,
        providers: Mapping[str, Provider],
        clock: Clock,
        settings: Settings,
        random: Random,
    ) -> None:
        self._stopping = asyncio.Event()
        self._parts = Parts(holder, store, producer, bulletin, clock, settings, random)
        self._store = store
        self._providers = providers
        self._settings = settings
        self._sliding: set[AccountId] = set()
        self._listing: dict[bool, dict[str, asyncio.Task[None]]] = {False: {}, True: {}}
        self._log = structlog.get_logger("callspool.reconcile")

    def stop(self) -> None:
        """Let `run` return; what it lists another may go on with at once."""
        self._stopping.set()

    async def run(self) -> None:
        """Do what is due: an account beside the others, and the continuous ones beside those that were asked for."""
        kinds = [False, True] if self._settings.backfill_span else [False]
        looks = [
            asyncio.create_task(for_ever("backfill", partial(self._take_due, sliding=sliding), rest=_LOOK_EVERY))
            for sliding in kinds
        ]
        try:
            await self._stopping.wait()
        finally:
            works = [*looks, *self._listing[False].values(), *self._listing[True].values()]
            await cancel(*works, again_s=_RELEASE_S)

    async def run_one(self, backfill_id: str | None = None, *, sliding: bool = False) -> bool:
        """Take a run that is due (that one) and list until its end; False: there is none, or another has it.

        Raises `StoreUnavailable`.
        """
        backfill = await self._claim(backfill_id, sliding=sliding)
        if backfill is None:
            return False
        await self._do(backfill)
        return True

    async def _take_due(self, *, sliding: bool) -> None:
        """Begin what is due, as far as there is room."""
        if sliding:
            await self.ensure_sliding()
        listing = self._listing[sliding]
        while len(listing) < MOST_AT_ONCE and (backfill := await self._claim(sliding=sliding)):
            if backfill.id in listing:
                return  # ours, and its lease had run out: now it is renewed
            listing[backfill.id] = asyncio.create_task(self._do_logged(backfill))

    async def _claim(self, backfill_id: str | None = None, *, sliding: bool) -> Backfill | None:
        return await self._store.claim_backfill(
            self._parts.holder,
            self._settings.lease,
            sliding=sliding,
            span=self._settings.backfill_span,
            only=backfill_id,
        )

    async def _do_logged(self, backfill: Backfill) -> None:
        try:
            await self._do(backfill)
        except Unavailable as error:
            self._log.warning("backfill.put_off", backfill_id=backfill.id, error=str(error))
        finally:
            del self._listing[backfill.sliding][backfill.id]

    async def _do(self, backfill: Backfill) -> None:
        log = self._log.bind(account_id=backfill.account_id, backfill_id=backfill.id)
        try:
            await self._list(backfill)
            await self._end(backfill, None)
        except FetchFailed as error:
            log.warning("backfill.failed", reason=error.reason, detail=error.detail)
            await self._end(backfill, f"The provider's list could not be read ({error}).")
        except Lost:
            log.info("backfill.lost")
        except PutOff as put_off:
            until = self._parts.clock.now() + put_off.wait
            await self._store.release_backfill(backfill.id, self._parts.holder, until=until)
        except asyncio.CancelledError:
            with contextlib.suppress(Unavailable):
                await self._store.release_backfill(backfill.id, self._parts.holder)
            raise
        except Unavailable:
            raise  # the lease runs out, and it is gone on with
        except Exception:
            # A defect must neither take the server with it nor be run into again and again.
            log.exception("backfill.broke")
            await self._end(backfill, "callspool made a mistake. The log has the details; please report it.")

    async def ensure_sliding(self) -> None:
        """See to it that each account has its continuous run; a new account's first one comes some time soon."""
        for account in await self._store.accounts():
            if account.id not in self._sliding:
                first = self._parts.clock.now() + self._settings.backfill_every * self._parts.random.random()
                await self._store.ensure_sliding(account.id, first_at=first)
                self._sliding.add(account.id)

    async def _list(self, backfill: Backfill) -> None:
        account = await self._store.account(backfill.account_id)
        lister = Lister(self._parts, account, self._providers[account.provider], backfill)
        await lister.run()
        if backfill.sliding:
            await lister.ask_about_announced()

    async def _end(self, backfill: Backfill, error: str | None) -> None:
        next_at = None
        if backfill.sliding:
            wait = self._settings.backfill_every * self._parts.random.uniform(0.9, 1.1)
            next_at = self._parts.clock.now() + wait
        ended = await self._store.end_backfill(backfill.id, self._parts.holder, error=error, next_at=next_at)
        if ended is not None and (ended.inserted or ended.vanished or not ended.sliding):
            self._log.info(
                "backfill.ended",
                account_id=ended.account_id,
                backfill_id=ended.id,
                state=ended.state,
                listed=ended.listed,
                inserted=ended.inserted,
                vanished=ended.vanished,
            )
