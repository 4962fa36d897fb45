"""The `Store` port over either engine. What each method promises stands in ``domain.ports.store``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from callspool.domain.audit import CALLSPOOL, Act, AuditEntry, AuditKind, By, Deed, Verdict
from callspool.domain.backfill import Backfill
from callspool.domain.ids import AccountId, RecordingId, TenantId
from callspool.domain.operation import FailedFilter, Operation
from callspool.domain.pace import Ended
from callspool.domain.ports.clock import Clock
from callspool.domain.ports.counts import FailureGroup, StateCount
from callspool.domain.ports.history import Timeline
from callspool.domain.ports.operations import Worked
from callspool.domain.ports.provider import Notice, ProviderStatus, Recorded
from callspool.domain.ports.recordings import Page, RecordingFilter
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Call, HistoryEntry, Kept, Recording, State
from callspool.domain.session import Session, Tries, User
from callspool.domain.tenant import Account, ApiKey, Number, Tenant
from callspool.store import (
    audit,
    backfills,
    counts,
    linkkeys,
    lists,
    moves,
    numbers,
    operations,
    paces,
    reads,
    registry,
    rotation,
    traces,
    users,
)
from callspool.store.database import Database
from callspool.store.database import Operation as Work
from callspool.store.envelope import Envelope
from callspool.store.sqlbackfills import SqlBackfills
from callspool.store.sqlcustody import SqlCustody
from callspool.store.sqlholds import SqlHolds
from callspool.store.sqlsessions import SqlSessions
from callspool.store.sqltombstones import SqlTombstones
from callspool.store.sqlwebhooks import SqlWebhooks

T = TypeVar("T")
_SIGNING: Final = "signing"


class SqlStore(SqlBackfills, SqlCustody, SqlHolds, SqlSessions, SqlTombstones, SqlWebhooks):
    """Hands each operation to the engine."""

    def __init__(self, database: Database, clock: Clock, envelope: Envelope) -> None:
        self._database = database
        self._clock = clock
        self._envelope = envelope

    async def check_key(self) -> None:
        """Raise `Misconfigured` now, rather than at the first webhook, if the secret key is another one."""
        await self.accounts()

    async def close(self) -> None:
        await self._database.close()

    async def ping(self) -> None:
        await self._database.write(registry.probe)
        await self._database.read(reads.last_seq)

    async def record(self, notice: Notice, *, actor: str) -> Recorded:
        return await self._database.write(lambda c: moves.record(c, self._step(actor), notice))

    async def claim(self, recording_id: RecordingId, *, actor: str) -> Recording | None:
        return await self._database.write(lambda c: moves.claim(c, self._step(actor), recording_id))

    async def keep(self, recording_id: RecordingId, attempt: int, kept: Kept, *, actor: str) -> Recording | None:
        return await self._database.write(lambda c: moves.keep(c, self._step(actor), recording_id, attempt, kept))

    async def defer(
        self,
        recording_id: RecordingId,
        attempt: int,
        *,
        reason: Reason,
        detail: str,
        budget: Budget,
        not_before: datetime,
        actor: str,
        http_status: int | None = None,
    ) -> Recording | None:
        return await self._database.write(
            lambda c: moves.defer(
                c,
                self._step(actor, http_status),
                recording_id,
                attempt,
                reason=reason,
                detail=detail,
                budget=budget,
                not_before=not_before,
            )
        )

    async def give_up(
        self,
        recording_id: RecordingId,
        attempt: int,
        *,
        reason: Reason,
        detail: str,
        budget: Budget,
        actor: str,
        http_status: int | None = None,
    ) -> Recording | None:
        return await self._database.write(
            lambda c: moves.give_up(
                c, self._step(actor, http_status), recording_id, attempt, reason=reason, detail=detail, budget=budget
            )
        )

    async def hand_back(
        self, recording_id: RecordingId, attempt: int, *, actor: str, reason: Reason | None = None
    ) -> Recording | None:
        return await self._database.write(
            lambda c: moves.hand_back(c, self._step(actor), recording_id, attempt, reason)
        )

    async def set_number(self, number: Number) -> None:
        await self._database.write(lambda c: numbers.set_number(c, number))

    async def remove_number(self, number: str) -> None:
        await self._database.write(lambda c: numbers.remove_number(c, number))

    async def numbers(self) -> Sequence[Number]:
        return await self._database.read(numbers.all_numbers)

    async def set_aside(self, account: Account, *, after: RecordingId | None = None, limit: int) -> Sequence[Recording]:
        return await self._database.read(lambda c: numbers.set_aside(c, account, after, limit))

    async def assignable(self, account: Account, *, limit: int) -> Sequence[tuple[Recording, TenantId]]:
        return await self._database.read(lambda c: numbers.assignable(c, account, limit))

    async def assign(self, recording: Recording, tenant_id: TenantId) -> Recording | None:
        return await self._database.write(lambda c: numbers.assign(c, recording, tenant_id, self._clock.now()))

    async def describe(self, recording_id: RecordingId, call: Call) -> None:
        await self._database.write(lambda c: moves.describe(c, recording_id, call))

    async def cancel(self, tenant_id: TenantId | None, recording_id: RecordingId, *, actor: str) -> Recording:
        return await self._database.write(lambda c: moves.cancel(c, self._step(actor), tenant_id, recording_id))

    async def retry(self, tenant_id: TenantId | None, recording_id: RecordingId, *, actor: str) -> Recording:
        return await self._database.write(lambda c: moves.retry(c, self._step(actor), tenant_id, recording_id))

    async def purge(self, tenant_id: TenantId | None, recording_id: RecordingId, *, by: By, why: str) -> Recording:
        found = await self.get(tenant_id, recording_id)
        if found.state is State.PURGED:
            return found

        def receipt(purged: Recording) -> Act:
            was = {"sha256": purged.kept.sha256, "size": purged.kept.size} if purged.kept else {}
            return Act("recording.purge", purged.id, purged.tenant_id, {"why": why, **was})

        step = self._step(by.actor)
        return await self._act(by, receipt, lambda c: moves.purge(c, step, tenant_id, recording_id, why))

    async def expired(self, tenant_id: TenantId, before: datetime, *, limit: int) -> Sequence[Recording]:
        return await self._database.read(lambda c: reads.expired(c, tenant_id, before, limit))

    async def to_erase(self, *, limit: int) -> Sequence[Recording]:
        return await self._database.read(lambda c: reads.to_erase(c, limit))

    async def erased(self, recording_id: RecordingId) -> None:
        await self._database.write(lambda c: moves.erased(c, recording_id))

    async def erase_later(self, recording_id: RecordingId) -> None:
        await self._database.write(lambda c: moves.erase_later(c, self._step(""), recording_id))

    async def find(self, recording_ids: Sequence[RecordingId]) -> Mapping[RecordingId, Recording]:
        return await self._database.read(lambda c: reads.find(c, recording_ids))

    async def hasten(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
        found = await self.get(tenant_id, recording_id)
        if found.state is not State.QUEUED or (found.not_before is None and found.wanted_at is not None):
            return found  # most are: a person's play of what is there costs no write
        return await self._database.write(lambda c: moves.hasten(c, self._step(""), tenant_id, recording_id))

    async def get(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
        return await self._database.read(lambda c: reads.get(c, tenant_id, recording_id), tenant=tenant_id)

    async def list(self, wanted: RecordingFilter, *, cursor: str | None, limit: int) -> Page:
        return await self._database.read(lambda c: lists.page(c, wanted, cursor, limit), tenant=wanted.tenant_id)

    async def history(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Sequence[HistoryEntry]:
        return await self._database.read(lambda c: reads.history(c, tenant_id, recording_id), tenant=tenant_id)

    async def note_repeat(self, recording: Recording, status: ProviderStatus) -> None:
        await self._database.write(lambda c: traces.note_repeat(c, recording, status, self._clock.now()))

    async def timeline(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Timeline:
        return await self._database.read(lambda c: traces.timeline(c, tenant_id, recording_id), tenant=tenant_id)

    async def throughput(self, tenant_id: TenantId | None, since: datetime) -> Sequence[Ended]:
        return await self._database.read(lambda c: paces.since(c, tenant_id, since))

    async def ready_of_tenants(self, tenants: Sequence[TenantId], since: datetime) -> Mapping[TenantId, int]:
        return await self._database.read(lambda c: paces.ready_of_tenants(c, tenants, since))

    async def ready_of_accounts(self, accounts: Sequence[AccountId], since: datetime) -> Mapping[AccountId, int]:
        return await self._database.read(lambda c: paces.ready_of_accounts(c, accounts, since))

    async def events_after(self, tenant_id: TenantId | None, seq: int, *, limit: int) -> Sequence[HistoryEntry]:
        return await self._database.read(lambda c: reads.events_after(c, tenant_id, seq, limit), tenant=tenant_id)

    async def last_seq(self) -> int:
        return await self._database.read(reads.last_seq)

    async def count(self, tenant_id: TenantId | None) -> Sequence[StateCount]:
        return await self._database.read(lambda c: counts.count(c, tenant_id), tenant=tenant_id)

    async def failures(self, tenant_id: TenantId | None) -> Sequence[FailureGroup]:
        return await self._database.read(lambda c: counts.failures(c, tenant_id), tenant=tenant_id)

    async def matching(self, wanted: FailedFilter) -> int:
        return await self._database.read(lambda c: operations.matching(c, wanted))

    async def begin_retry(self, wanted: FailedFilter, *, owner: TenantId | None, actor: str) -> Operation:
        return await self._act(
            By(actor),
            lambda begun: Act(
                "recordings.retry", begun.id, wanted.tenant_id, {"matched": begun.matched, "reason": wanted.reason}
            ),
            lambda c: operations.begin(c, self._step(actor), wanted, owner),
        )

    async def operation(self, owner: TenantId | None, operation_id: str) -> Operation:
        return await self._database.read(lambda c: operations.get(c, owner, operation_id))

    async def work_off(self, *, most: int) -> Worked | None:
        if not await self._database.read(operations.any_runs):
            return None  # mostly: asking costs no write
        return await self._database.write(lambda c: operations.work_off(c, self._step(""), most))

    async def unfinished(self, after: RecordingId | None, *, limit: int) -> Sequence[Recording]:
        return await self._database.read(lambda c: reads.unfinished(c, after, limit))

    async def add_tenant(self, tenant: Tenant, *, by: By = CALLSPOOL) -> None:
        act = Act("tenant.add", tenant.id, tenant.id, asdict(tenant))
        await self._act(by, act, lambda c: registry.add_tenant(c, tenant))

    async def set_tenant(self, tenant: Tenant, *, by: By = CALLSPOOL) -> None:
        act = Act("tenant.set", tenant.id, tenant.id, asdict(tenant))
        await self._act(by, act, lambda c: registry.set_tenant(c, tenant))

    async def adjust_tenant(
        self,
        tenant_id: TenantId,
        *,
        slots: int | None = None,
        weight: float | None = None,
        paused: bool | None = None,
        retention_days: int | None = None,
        allowed_origins: Sequence[str] | None = None,
        by: By = CALLSPOOL,
    ) -> Tenant:
        changes = _given(
            slots=slots, weight=weight, paused=paused, retention_days=retention_days, allowed_origins=allowed_origins
        )
        if retention_days == 0:
            changes["retention_days"] = None
        act = Act("tenant.set", tenant_id, tenant_id, changes)
        return await self._act(by, act, lambda c: registry.adjust_tenant(c, tenant_id, changes))

    async def origins(self) -> Mapping[TenantId, Sequence[str]]:
        return await self._database.read(registry.origins)

    async def tenant(self, tenant_id: TenantId) -> Tenant:
        return await self._database.read(lambda c: registry.tenant(c, tenant_id))

    async def tenants(self) -> Sequence[Tenant]:
        return await self._database.read(registry.all_tenants)

    async def add_account(self, account: Account, *, by: By = CALLSPOOL) -> None:
        act = Act("account.add", account.id, account.default_tenant, account.public)
        await self._act(by, act, lambda c: registry.add_account(c, account, self._envelope))

    async def set_account(self, account: Account, *, by: By = CALLSPOOL) -> None:
        act = Act("account.set", account.id, account.default_tenant, account.public)
        await self._act(by, act, lambda c: registry.set_account(c, account, self._envelope))

    async def remove_account(self, account_id: AccountId, *, by: By = CALLSPOOL) -> None:
        act = Act("account.remove", account_id)
        await self._act(by, act, lambda c: registry.remove_account(c, account_id))

    async def adjust_account(
        self, account_id: AccountId, *, limit: int | None = None, paused: bool | None = None, by: By = CALLSPOOL
    ) -> Account:
        changes = _given(limit=limit, paused=paused)
        act = Act("account.set", account_id, None, changes)
        return await self._act(by, act, lambda c: registry.adjust_account(c, account_id, changes, self._envelope))

    async def account(self, account_id: AccountId) -> Account:
        return await self._database.read(lambda c: registry.account(c, account_id, self._envelope))

    async def accounts(self) -> Sequence[Account]:
        return await self._database.read(lambda c: registry.all_accounts(c, self._envelope))

    async def add_key(self, key: ApiKey, *, by: By = CALLSPOOL) -> None:
        said = {"name": key.name, "scopes": sorted(key.scopes), "expires_at": key.expires_at}
        act = Act("key.add", key.id, key.tenant_id, said)
        await self._act(by, act, lambda c: registry.add_key(c, key))

    async def key_by_hash(self, secret_sha256: str) -> ApiKey | None:
        return await self._database.read(lambda c: registry.key_by_hash(c, secret_sha256, self._clock.now()))

    async def keys(self) -> Sequence[ApiKey]:
        return await self._database.read(registry.all_keys)

    async def revoke_key(self, key_id: str, *, by: By = CALLSPOOL) -> ApiKey:
        return await self._act(
            by,
            lambda key: Act("key.revoke", key.id, key.tenant_id, {"name": key.name}),
            lambda c: registry.revoke_key(c, key_id, self._clock.now()),
        )

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

    async def signing_key(self) -> bytes:
        while (key := await self._database.read(lambda c: registry.sealed_key(c, _SIGNING, self._envelope))) is None:
            await self._database.write(lambda c: registry.make_sealed_key(c, _SIGNING, self._envelope))
        return key

    async def link_keys(self) -> Sequence[bytes]:
        return await self._database.read(lambda c: linkkeys.found(c, self._envelope, self._clock.now()))

    async def rotate_link_key(self, overlap: timedelta, *, by: By = CALLSPOOL) -> None:
        first, now = await self.signing_key(), self._clock.now()
        act = Act("links.rotate", "playback links", detail={"overlap_s": overlap.total_seconds()})
        await self._act(by, act, lambda c: linkkeys.rotate(c, self._envelope, first, now, overlap))

    async def reseal(self, looked: Callable[[int, int], None], *, by: By) -> int:
        total = await self._database.read(rotation.total)
        at = rotation.Progress()
        while True:
            following = await self._database.write(partial(rotation.step, envelope=self._envelope, at=at))
            if following is None:
                break
            at = following
            looked(at.looked, total)
        await self.audit(Act("secrets.reseal", "credentials", detail={"resealed": at.resealed}), by=by)
        return at.resealed

    async def audit(self, act: Act, *, by: By) -> None:
        await self._act(by, act, lambda _: None)

    async def audit_all(self, deeds: Sequence[Deed]) -> None:
        await self._database.write(lambda c: audit.append_all(c, deeds, self._envelope))

    async def audit_log(self, before: int | None, *, limit: int, only: AuditKind | None = None) -> Sequence[AuditEntry]:
        return await self._database.read(lambda c: audit.page(c, before, limit, only))

    async def audit_verify(self, anchor: tuple[int, str] | None = None) -> Verdict:
        return await self._database.read(lambda c: audit.verify(c, self._envelope, anchor))

    async def _act(self, by: By, act: Act | Callable[[T], Act], work: Work[T]) -> T:
        """Do what is audited: the entry and the deed are one transaction."""
        return await self._database.write(audit.acting(work, act, by, self._clock.now(), self._envelope))

    async def add_user(self, user: User, *, by: By = CALLSPOOL) -> None:
        await self._act(by, Act("user.add", user.name, user.tenant_id), lambda c: users.add_user(c, user))

    async def remove_user(self, name: str, *, by: By = CALLSPOOL) -> None:
        await self._act(by, Act("user.remove", name), lambda c: users.remove_user(c, name))

    async def user(self, name: str) -> User | None:
        return await self._database.read(lambda c: users.user(c, name))

    async def users(self) -> Sequence[User]:
        return await self._database.read(users.all_users)

    async def begin_session(self, session: Session, *, by: By = CALLSPOOL) -> None:
        act = Act("session.begin", session.key_id or session.name, session.tenant_id)
        await self._act(by, act, lambda c: users.begin_session(c, session))

    async def session(self, secret_sha256: str) -> Session | None:
        return await self._database.read(lambda c: users.session(c, secret_sha256, self._clock.now()))

    async def end_session(self, secret_sha256: str) -> None:
        await self._database.write(lambda c: users.end_session(c, secret_sha256))

    async def try_sign_in(self, tries: Tries) -> timedelta | None:
        return await self._database.write(lambda c: users.try_sign_in(c, tries, self._clock.now()))

    async def forget_tries(self, tries: Tries) -> None:
        await self._database.write(lambda c: users.forget_tries(c, tries))

    def _step(self, actor: str, http_status: int | None = None) -> moves.Step:
        return moves.Step(actor, self._clock.now(), http_status)


def _given(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}
