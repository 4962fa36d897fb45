"""The provider's list against the store: continuously over the last days, and over any span on demand.

What is to be listed, and how far it is, stands in the store; a process takes a run by a lease. So it makes no
difference which process was asked, and one that dies is followed by another.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import Final

import structlog

from callspool.domain.backfill import Backfill
from callspool.domain.errors import FetchFailed, Unavailable
from callspool.domain.ids import AccountId
from callspool.domain.ports import Bulletin, Clock, Producer, Provider, Store
from callspool.reconcile.listing import Lister, Lost, Parts
from callspool.settings import Settings

_LOOK_EVERY: Final = timedelta(seconds=2)
"""How often the store is asked for a run that is due: one small read."""


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
        self._log = structlog.get_logger("callspool.reconcile")

    def stop(self) -> None:
        """Let `run` return; what it lists another may go on with at once."""
        self._stopping.set()

    async def run(self) -> None:
        """Do what is due. The continuous ones do not wait for those that were asked for."""
        kinds = [False, True] if self._settings.backfill_span else [False]
        works = [asyncio.create_task(self._work(sliding=sliding)) for sliding in kinds]
        await self._stopping.wait()
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)

    async def run_one(self, backfill_id: str | None = None, *, sliding: bool = False) -> bool:
        """Take a run that is due (that one) and list until its end; False: there is none, or another has it.

        Raises `StoreUnavailable`.
        """
        backfill = await self._store.claim_backfill(
            self._parts.holder,
            self._settings.lease,
            sliding=sliding,
            span=self._settings.backfill_span,
            only=backfill_id,
        )
        if backfill is None:
            return False
        log = self._log.bind(account_id=backfill.account_id, backfill_id=backfill.id)
        try:
            await self._list(backfill)
            await self._end(backfill, None)
        except FetchFailed as error:
            log.warning("backfill.failed", reason=error.reason, detail=error.detail)
            await self._end(backfill, f"The provider's list could not be read ({error}).")
        except Lost:
            log.info("backfill.lost")
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
        return True

    async def ensure_sliding(self) -> None:
        """See to it that each account has its continuous run; a new account's first one comes some time soon."""
        for account in await self._store.accounts():
            if account.id not in self._sliding:
                first = self._parts.clock.now() + self._settings.backfill_every * self._parts.random.random()
                await self._store.ensure_sliding(account.id, first_at=first)
                self._sliding.add(account.id)

    async def _work(self, *, sliding: bool) -> None:
        while True:
            try:
                if sliding:
                    await self.ensure_sliding()
                if await self.run_one(sliding=sliding):
                    continue
            except Unavailable as error:
                self._log.warning("backfill.put_off", error=str(error))
            except Exception:
                self._log.exception("backfill.put_off")  # the outermost loop: it must not end
            await asyncio.sleep(_LOOK_EVERY.total_seconds())

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
