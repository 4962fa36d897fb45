"""The `BackfillStore` port over either engine. What each method promises stands in ``domain.backfill``."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from callspool.domain.audit import CALLSPOOL, Act, By
from callspool.domain.backfill import Backfill, DayReport, Step
from callspool.domain.ids import AccountId
from callspool.domain.recording import State
from callspool.store import backfills, sights
from callspool.store.sqlpart import SqlPart


class SqlBackfills(SqlPart):
    """The part of the store that backfills use."""

    async def add_backfill(
        self, account_id: AccountId, since: datetime, until: datetime | None, *, dry_run: bool, by: By = CALLSPOOL
    ) -> Backfill:
        now = self._clock.now()
        return await self._act(
            by,
            lambda made: Act("backfill.add", made.id, None, {"account_id": account_id, "dry_run": dry_run}),
            lambda c: backfills.add(c, now, account_id, since, until, dry_run=dry_run, actor=by.actor),
        )

    async def cancel_backfill(self, backfill_id: str, *, by: By = CALLSPOOL) -> Backfill:
        act = Act("backfill.cancel", backfill_id)
        return await self._act(by, act, lambda c: backfills.cancel(c, self._clock.now(), backfill_id))

    async def backfill(self, backfill_id: str) -> Backfill:
        return await self._database.read(lambda c: backfills.get(c, backfill_id))

    async def backfills(self, *, limit: int) -> Sequence[Backfill]:
        return await self._database.read(lambda c: backfills.newest(c, limit))

    async def ensure_sliding(self, account_id: AccountId, *, first_at: datetime) -> None:
        await self._database.write(lambda c: backfills.ensure_sliding(c, self._clock.now(), account_id, first_at))

    async def claim_backfill(
        self, holder: str, lease: timedelta, *, sliding: bool, span: timedelta, only: str | None = None
    ) -> Backfill | None:
        return await self._database.write(
            lambda c: backfills.claim(c, self._clock.now(), holder, lease, sliding=sliding, span=span, only=only)
        )

    async def renew_backfill(self, backfill_id: str, holder: str, lease: timedelta) -> bool:
        return await self._database.write(lambda c: backfills.renew(c, self._clock.now(), backfill_id, holder, lease))

    async def begin_window(self, backfill_id: str, holder: str, lease: timedelta) -> Backfill | None:
        return await self._database.write(
            lambda c: backfills.begin_window(c, self._clock.now(), backfill_id, holder, lease)
        )

    async def note_page(self, backfill_id: str, holder: str, lease: timedelta, step: Step) -> Backfill | None:
        return await self._database.write(
            lambda c: backfills.note_page(c, self._clock.now(), backfill_id, holder, lease, step)
        )

    async def release_backfill(self, backfill_id: str, holder: str, *, until: datetime | None = None) -> None:
        await self._database.write(lambda c: backfills.release(c, backfill_id, holder, until))

    async def end_backfill(
        self, backfill_id: str, holder: str, *, error: str | None, next_at: datetime | None = None
    ) -> Backfill | None:
        return await self._database.write(
            lambda c: backfills.end(c, self._clock.now(), backfill_id, holder, error, next_at)
        )

    async def states_of(self, account_id: AccountId, provider_recording_ids: Sequence[str]) -> Mapping[str, State]:
        return await self._database.read(lambda c: sights.states_of(c, account_id, provider_recording_ids))

    async def completeness(self, account_id: AccountId, since: date, before: date) -> Sequence[DayReport]:
        return await self._database.read(lambda c: sights.completeness(c, self._clock.now(), account_id, since, before))
