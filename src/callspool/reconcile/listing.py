"""One backfill, page by page: ask the provider, insert what is missing, write down how far it is.

All that it does is idempotent, and its progress is one commit after each page: killed anywhere, it lists at most one
page again. It holds one page in memory. What the provider deleted is marked by the store; nothing of ours is removed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Final

import structlog

from callspool.domain.backfill import Backfill, Sighting, Step, window_end
from callspool.domain.backoff import RETRY_DELAYS, full_jitter
from callspool.domain.errors import FetchFailed, SchedulerUnavailable
from callspool.domain.job import Job
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.provider import Listed, Listing, Notice, Provider, ProviderStatus
from callspool.domain.ports.recordings import RecordingFilter
from callspool.domain.ports.scheduler import Bulletin, Producer
from callspool.domain.ports.store import Store
from callspool.domain.reasons import Reason
from callspool.domain.recording import Recording, State
from callspool.domain.tenant import Account
from callspool.settings import Settings

_PAGE: Final = 200
_TOGETHER: Final = 50
"""Rows that are written at the same time, so that they share commits and leave webhooks their turn."""
_MOST_ASKED: Final = 100
_NOBODY_HAS_IT: Final = "404: announced, and the provider has no such recording any more"
_HOPELESS: Final = frozenset({Reason.UNAUTHORIZED, Reason.FORBIDDEN, Reason.INTERNAL, Reason.REDIRECT_REFUSED})
_OF_THE_ACCOUNT: Final = frozenset({Reason.UNAUTHORIZED, Reason.THROTTLED, Reason.UNREACHABLE})
_NO_ROOM: Final = timedelta(seconds=2)
_LONG: Final = timedelta(seconds=30)
"""What a provider asks us to wait for longer than this is not waited for with a task."""
_THROTTLED: Final = timedelta(minutes=1)
"""How long an account rests that only ever said "slow down"."""


class Lost(Exception):
    """The backfill was cancelled, or another process has it now."""


class PutOff(Exception):
    """It cannot go on before so much time has passed, and shall hold up no other meanwhile."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(str(wait))
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Parts:
    """What listing needs."""

    holder: str
    store: Store
    producer: Producer
    bulletin: Bulletin
    clock: Clock
    settings: Settings
    random: Random


class Lister:
    """Lists one account for one backfill that this process holds."""

    def __init__(self, parts: Parts, account: Account, provider: Provider, backfill: Backfill) -> None:
        self._parts = parts
        self._store = parts.store
        self._account = account
        self._provider = provider
        self._now = backfill
        self._actor = "reconciler" if backfill.sliding else f"backfill:{backfill.id}"
        self._log = structlog.get_logger("callspool.reconcile").bind(account_id=account.id, backfill_id=backfill.id)

    async def run(self) -> None:
        """List every window from the position on. Raises `FetchFailed`, `Lost`, `PutOff`, `StoreUnavailable`."""
        while self._now.position < self._now.until:
            if not self._now.sliding and not self._now.dry_run:
                await self._need_room()
            if self._now.begun_at is None:
                await self._begin_window()
            listing = await self._ask()
            step = await self._take(listing)
            self._now = self._held(await self._store.note_page(*self._ours(), step))
            await self._pause(self._parts.settings.backfill_pause)

    async def ask_about_announced(self) -> None:
        """Ask for recordings that were announced long ago and of which nothing was heard since (I2)."""
        before = self._parts.clock.now() - self._parts.settings.announced_ttl
        wanted = RecordingFilter(
            account_id=self._account.id, states=frozenset({State.ANNOUNCED}), created_before=before
        )
        cursor, asked = None, 0
        while asked < _MOST_ASKED:
            page = await self._store.list(wanted, cursor=cursor, limit=_MOST_ASKED - asked)
            for recording in page.recordings:
                await self._ask_about(recording)
                await self._pause(self._parts.settings.backfill_pause)
            asked += len(page.recordings)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _ask_about(self, recording: Recording) -> None:
        """Ask for one. That it alone cannot be had keeps the ones behind it from nothing."""
        try:
            listed = await self._provider.look_up(self._account, recording.provider_recording_id)
        except FetchFailed as error:
            if error.reason in _OF_THE_ACCOUNT:
                raise
            self._log.warning("announced.not_told", recording_id=recording.id, reason=error.reason)
            return
        await self._record([_notice_of(recording, listed)])

    async def _ask(self) -> Listing:
        """Return the next page, asking again after failures that pass. What the provider asks for is heeded."""
        failures = 0
        while True:
            end = window_end(self._now.position, self._now.until)
            try:
                return await self._provider.list(
                    self._account, self._now.position, end, cursor=self._now.cursor, limit=_PAGE
                )
            except FetchFailed as error:
                failures += 1
                throttled, often = error.reason is Reason.THROTTLED, failures > len(RETRY_DELAYS)
                if error.reason in _HOPELESS or (often and not throttled):
                    raise
                self._log.warning("list.put_off", reason=error.reason, detail=error.detail, failures=failures)
                delay = full_jitter(failures, self._parts.random.random()) * self._parts.settings.retry_scale
                wait = max(error.retry_after or timedelta(), delay)
                if throttled and (often or wait > _LONG):
                    raise PutOff(max(wait, _THROTTLED * self._parts.settings.retry_scale)) from error
                await self._pause(wait)
                if failures > 1 and self._now.cursor is not None and error.reason is Reason.PROVIDER_ERROR:
                    await self._begin_window()  # it may have forgotten the page that we are at

    async def _take(self, listing: Listing) -> Step:
        """Insert what is missing and move on what was announced; say what the page showed."""
        ids = [one.notice.provider_recording_id for one in listing.entries]
        states = await self._store.states_of(self._account.id, ids)
        missing = [one.notice for one in listing.entries if one.notice.provider_recording_id not in states]
        inserted = len(missing)
        if not self._now.dry_run:
            announced = [
                one.notice
                for one in listing.entries
                if states.get(one.notice.provider_recording_id) is State.ANNOUNCED
                and one.notice.status is not ProviderStatus.IN_PROGRESS
            ]
            inserted = await self._record(missing)
            await self._record(announced)
        if listing.unread:
            self._log.warning("list.not_understood", ids=listing.unread[:10], count=len(listing.unread))
        return Step(
            sightings=[Sighting(one.notice.provider_recording_id, one.created_at) for one in listing.entries],
            unread=listing.unread,
            inserted=inserted,
            next_cursor=listing.next_cursor,
        )

    async def _record(self, notices: Sequence[Notice]) -> int:
        """Write each down as a webhook would have, then submit; return how many changed something."""
        changed = 0
        for start in range(0, len(notices), _TOGETHER):
            some = notices[start : start + _TOGETHER]
            done = await asyncio.gather(*(self._store.record(notice, actor=self._actor) for notice in some))
            moved = [one.recording for one in done if one.changed]
            changed += len(moved)
            await self._submit([one for one in moved if one.state is State.QUEUED])
        if changed:
            await self._parts.bulletin.ring()
        return changed

    async def _submit(self, recordings: Sequence[Recording]) -> None:
        jobs = [(Job(one.id, one.account_id, one.tenant_id), None) for one in recordings]
        try:
            if jobs:
                await self._parts.producer.submit_many(jobs)
        except SchedulerUnavailable:
            self._log.warning("jobs.not_submitted", count=len(jobs))  # the reconciler does, when Valkey is back

    async def _need_room(self) -> None:
        """Go on later where the tenant's line is long: a webhook's recording shall not stand behind an archive.

        By number, what is listed waits aside and is passed on at the pace at which calls are asked for: the line of
        those that nobody knows is no measure, and may be long for ever.
        """
        if self._account.by_number:
            return
        try:
            (load,) = await self._parts.producer.load([self._account.default_tenant])
        except SchedulerUnavailable:
            return
        if load.waiting >= self._parts.settings.backfill_backlog:
            raise PutOff(_NO_ROOM)

    async def _begin_window(self) -> None:
        self._now = self._held(await self._store.begin_window(*self._ours()))

    async def _pause(self, time: timedelta) -> None:
        """Let *time* pass, holding the backfill meanwhile. Raises `Lost`."""
        step = self._parts.settings.lease / 3
        while time > step:
            await asyncio.sleep(step.total_seconds())
            time -= step
            if not await self._store.renew_backfill(*self._ours()):
                raise Lost
        await asyncio.sleep(time.total_seconds())

    def _ours(self) -> tuple[str, str, timedelta]:
        return self._now.id, self._parts.holder, self._parts.settings.lease

    def _held(self, backfill: Backfill | None) -> Backfill:
        if backfill is None:
            raise Lost
        return backfill


def _notice_of(recording: Recording, listed: Listed | None) -> Notice:
    """Return what the provider says now of a recording of ours, for the tenant that it belongs to."""
    if listed is not None:
        return replace(listed.notice, tenant_id=recording.tenant_id)
    return Notice(
        account_id=recording.account_id,
        tenant_id=recording.tenant_id,
        provider_recording_id=recording.provider_recording_id,
        call_id=recording.call_id,
        status=ProviderStatus.ABSENT,
        error=_NOBODY_HAS_IT,
    )
