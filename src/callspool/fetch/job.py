"""One job from claim to settlement: claim in the store, download, verify, keep.

Nothing here sleeps for a job: a failure becomes a deferral and the slot is free at once. Only while the
store itself is away do the jobs in hand wait for it, because nothing else could be done with their slots.
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final, TypeVar

import structlog

from callspool.domain.errors import FetchFailed, NotFound, StoreUnavailable, VaultUnavailable
from callspool.domain.ids import RecordingId
from callspool.domain.job import Lease, Settlement, Signal, Stop, Verdict
from callspool.domain.ports.audio import Prober
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.provider import Provider
from callspool.domain.ports.scheduler import Bulletin
from callspool.domain.ports.store import Store
from callspool.domain.ports.vault import Vault
from callspool.domain.reasons import POLICIES, Reason
from callspool.domain.recording import Kept, Recording, State
from callspool.fetch.calls import Calls, Question
from callspool.fetch.download import Limits, download
from callspool.fetch.leased import Leased
from callspool.fetch.outcome import GiveUp, Outcome, TryAgain, decide
from callspool.fetch.spool import Spool, SpoolFile
from callspool.fetch.tap import Tap, Taps
from callspool.fetch.verify import verify
from callspool.settings import Settings
from callspool.vault.keys import rendition_key, vault_key

_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No space, no quota, no larger file for this process (``ulimit -f``): the machine's trouble, not the recording's."""
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a job works with."""

    actor: str
    store: Store
    bulletin: Bulletin
    provider_of: Mapping[str, Provider]
    vault: Vault
    prober: Prober
    clock: Clock
    settings: Settings
    spool: Spool
    taps: Taps
    calls: Calls
    random: Random
    observe: Callable[[Outcome], None]
    spool_full: Callable[[], None]
    """Told when the disk would take no more."""


class Work(Leased):
    """The work of one lease. ``run`` returns its settlement, whatever happens, unless it is cancelled."""

    def __init__(self, tools: Tools, lease: Lease) -> None:
        super().__init__(lease)
        self._tools = tools
        self._log = structlog.get_logger().bind(tenant_id=lease.job.tenant, recording_id=lease.job.id)
        self._recording: Recording | None = None
        self._received = 0
        self._begun = monotonic()
        self._call: Question | None = None
        self._doubtful = False
        """A call to the store got no answer: what it asked for may have happened, or may yet."""

    async def run(self) -> Settlement:
        """Bring the recording into the vault, or say why not."""
        try:
            self._recording = await self._store(lambda: self._tools.store.claim(self._id, actor=self._tools.actor))
        except NotFound:
            self._log.warning("fetch.unknown")
            return self.done()
        await self._tools.bulletin.ring()
        if self._recording is None:
            return self.done()
        self._log = self._log.bind(attempt=self._recording.attempt)
        try:
            return await self._fetch(self._recording)
        except FetchFailed as failed:
            return await self._fail(self._recording, failed)

    async def hand_back(self, reason: Reason | None = None) -> Settlement:
        """Give the recording back as it was, charging nothing; *reason* tells a person why."""
        recording, tools = self._recording, self._tools
        if recording is not None:
            queued = await self._store(
                lambda: tools.store.hand_back(recording.id, recording.attempt, actor=tools.actor, reason=reason)
            )
            await self._tools.bulletin.ring()
            self._log.info("fetch.handed_back", bytes=self._received)
            if queued is None:
                return self.done()
        return self.later(timedelta())

    def note(self, why: Stop) -> None:
        """Log that the work is stopped. From here on nothing is written."""
        self._log.warning("fetch.lease_lost" if why is Stop.LOST else "fetch.cancelled", bytes=self._received)

    @property
    def _id(self) -> RecordingId:
        return RecordingId(self._lease.job.id)

    async def _fetch(self, recording: Recording) -> Settlement:
        try:
            return await self._bring(recording)
        except (FetchFailed, StoreUnavailable):
            raise
        except VaultUnavailable as error:
            raise FetchFailed(Reason.VAULT_ERROR, str(error)) from error
        except OSError as error:
            if error.errno not in _DISK_FULL:
                self._log.exception("fetch.broke")
                raise FetchFailed(Reason.INTERNAL, type(error).__name__) from error
        except Exception as error:
            self._log.exception("fetch.broke")
            raise FetchFailed(Reason.INTERNAL, type(error).__name__) from error
        self._tools.spool_full()
        self._log.warning("fetch.spool_full", bytes=self._received)
        return await self.hand_back(Reason.SPOOL_FULL)

    async def _bring(self, recording: Recording) -> Settlement:
        """Fetch it, prove it, keep it. Meanwhile it can be listened to."""
        file = self._tools.spool.open(recording.id, recording.attempt)
        # What is encrypted is not heard before its tag is checked: until then anybody may have altered it.
        with self._tools.taps.open(recording.id, recording.attempt, file, whole=bool(recording.encryption)) as tap:
            kept = await self._obtain(recording, file)
            return await self._keep(recording, kept, tap)

    async def _obtain(self, recording: Recording, file: SpoolFile) -> Kept:
        tools = self._tools
        limits = Limits(tools.settings.fetch_deadline, tools.settings.minimum_rate)
        try:
            account = await self._store(lambda: tools.store.account(recording.account_id))
            provider = tools.provider_of[account.provider]
            self._call = tools.calls.ask(provider, account, recording)
            try:
                got = await download(provider, account, recording, file, limits)
            finally:
                self._received = file.size
            probe = await tools.prober.probe(file.path)
            self._first_byte_ms = got.first_byte_ms
            unverified = verify(
                recording,
                probe,
                media_format=account.media_format,
                asked_channels=got.channels,
                told_duration_s=got.duration_s,
                has_length=got.has_length,
            )
            kept = Kept(
                vault_key=vault_key(recording.tenant_id, recording.id, recording.attempt, probe.extension),
                sha256=got.sha256,
                size=got.size,
                content_type=probe.content_type,
                channels=probe.channels,
                sample_rate=probe.sample_rate,
                duration_s=probe.duration_s,
                verified=not unverified,
                unverified=unverified,
            )
            await self._put(kept.vault_key, file.path)
            await self._put_waveform(kept.vault_key, probe.waveform)
        finally:
            file.remove()
        return kept

    async def _put(self, key: str, path: Path) -> None:
        put = asyncio.ensure_future(self._tools.vault.put(key, path))
        try:
            await asyncio.shield(put)
        except asyncio.CancelledError:
            await asyncio.wait([put])  # it cannot be stopped half-way; what it made is nobody's
            if put.exception() is None:
                await self._discard(key)
            raise

    async def _put_waveform(self, key: str, waveform: bytes) -> None:
        """Keep it beside the audio. Without it the recording is as good: it is made again when someone asks."""
        try:
            await self._tools.vault.put_bytes(rendition_key(key, "peaks"), waveform)
        except VaultUnavailable as error:
            self._log.warning("waveform.not_kept", error=str(error))

    async def _keep(self, recording: Recording, kept: Kept, tap: Tap) -> Settlement:
        tools = self._tools
        ready = await self._store(lambda: tools.store.keep(recording.id, recording.attempt, kept, actor=tools.actor))
        await tools.bulletin.ring()
        if ready is None and not await self._is_ours(recording, kept):
            self._log.warning("fetch.stale", bytes=kept.size)
            if not self._doubtful:
                await self._discard(kept.vault_key)
            return self.done()
        tap.keep()
        waited = (tools.clock.now() - recording.created_at).total_seconds()
        self._log.info("fetch.kept", bytes=kept.size, duration_s=round(kept.duration_s, 2), time_to_ready_s=waited)
        tools.observe(Outcome(recording.tenant_id, State.READY, None, kept.size, waited, monotonic() - self._begun))
        return self.done(Signal.THROTTLED if self._call and self._call.was_throttled else Signal.OK)

    async def _is_ours(self, recording: Recording, kept: Kept) -> bool:
        """Say whether an earlier try of the same commit went through and only its reply was lost."""
        try:
            current = await self._store(lambda: self._tools.store.get(None, recording.id))
        except NotFound:
            return False
        return current.kept is not None and current.kept.vault_key == kept.vault_key

    async def _discard(self, key: str) -> None:
        try:
            await self._tools.vault.delete(rendition_key(key, "peaks"))
            await self._tools.vault.delete(key)
        except VaultUnavailable:
            self._log.warning("vault.orphan_left", key=key)

    async def _fail(self, recording: Recording, failed: FetchFailed) -> Settlement:
        tools = self._tools
        decision = decide(recording, failed, retry_scale=tools.settings.retry_scale, random=tools.random)
        signal = POLICIES[failed.reason].signal
        match decision:
            case GiveUp(reason, budget):
                row = await self._store(
                    lambda: tools.store.give_up(
                        recording.id,
                        recording.attempt,
                        reason=reason,
                        detail=failed.detail,
                        http_status=failed.http_status,
                        budget=budget,
                        actor=tools.actor,
                    )
                )
                settlement = self.done(signal)
            case TryAgain(budget, delay, pause):
                reason = failed.reason
                row = await self._store(
                    lambda: tools.store.defer(
                        recording.id,
                        recording.attempt,
                        reason=reason,
                        detail=failed.detail,
                        http_status=failed.http_status,
                        budget=budget,
                        not_before=tools.clock.now() + delay,
                        actor=tools.actor,
                    )
                )
                # Right even where the row was stale: then the token is too, or the next claim finds nothing.
                settlement = self.later(delay, pause, signal)
        await tools.bulletin.ring()
        event = "fetch.failed" if settlement.verdict is Verdict.DONE else "fetch.deferred"
        self._log.warning(
            event if row is not None else "fetch.stale",
            reason=reason.value,
            detail=failed.detail,
            bytes=self._received,
            delay_ms=settlement.delay_ms,
        )
        if row is not None:
            seconds = monotonic() - self._begun
            tools.observe(Outcome(recording.tenant_id, row.state, reason, self._received, None, seconds))
        return settlement

    async def _store(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call the store until it answers. Raises `StoreUnavailable` after the longest that a fetch may take."""
        time = asyncio.get_running_loop().time
        until = time() + self._tools.settings.fetch_deadline.total_seconds()
        wait = _FIRST_WAIT
        while True:
            try:
                return await call()
            except StoreUnavailable as error:
                self._doubtful = True
                if time() + wait > until:
                    raise
                self._log.warning("store.unavailable", error=str(error), retry_s=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
