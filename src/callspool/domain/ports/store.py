"""The port of the store, and what it gives and takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from callspool.domain.audit import CALLSPOOL, Act, AuditEntry, AuditKind, By, Deed, Verdict
from callspool.domain.backfill import BackfillStore
from callspool.domain.custody import CustodyStore
from callspool.domain.hold import HoldStore
from callspool.domain.ids import AccountId, RecordingId, TenantId
from callspool.domain.listening import Listen
from callspool.domain.operation import FailedFilter, Operation
from callspool.domain.pace import Ended
from callspool.domain.ports.provider import Notice, ProviderStatus, Recorded
from callspool.domain.reasons import Budget, Reason
from callspool.domain.recording import Call, HistoryEntry, Kept, Recording, State
from callspool.domain.session import Session, SessionStore, Tries, User
from callspool.domain.tenant import Account, ApiKey, Number, Tenant
from callspool.domain.tombstone import TombstoneStore
from callspool.domain.webhook import WebhookStore


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, newest first."""

    recordings: tuple[Recording, ...]
    next_cursor: str | None
    """None: this was the last. A page that comes short, or empty, may have a next one: see `Store.list`."""


@dataclass(frozen=True, slots=True)
class RecordingFilter:
    """What to list. None means any."""

    tenant_id: TenantId | None = None
    account_id: AccountId | None = None
    states: frozenset[State] | None = None
    reason: Reason | None = None
    call_id: str | None = None
    provider_recording_id: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    search: str | None = None
    """An id, whole: of the call, of the recording at the provider, or our own; or a phone number of the call."""


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many of a tenant's recordings are in a state (with that reason, where failed)."""

    tenant_id: TenantId
    state: State
    reason: Reason | None
    count: int
    oldest: datetime | None
    """When the oldest of them came to be in this state."""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """A tenant's failed recordings of one reason."""

    tenant_id: TenantId
    reason: Reason
    accounts: Mapping[AccountId, int]
    """How many, by account."""
    oldest: datetime
    newest: datetime
    """When the first and the last of them failed."""

    @property
    def count(self) -> int:
        """How many they are."""
        return sum(self.accounts.values())


@dataclass(frozen=True, slots=True)
class Worked:
    """A bit of an operation that was done."""

    operation: Operation
    queued: tuple[Recording, ...]
    """To be submitted."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A webhook that came and changed nothing."""

    at: datetime
    status: ProviderStatus


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that is known of what happened to a recording, each oldest first."""

    history: Sequence[HistoryEntry]
    repeats: Sequence[Repeat]
    listens: Sequence[Listen]


class Store(BackfillStore, CustodyStore, HoldStore, SessionStore, TombstoneStore, WebhookStore, Protocol):
    """The source of truth. Raises `StoreUnavailable` where the database does not answer.

    Where a method takes ``tenant_id: TenantId | None``, None is the operator: every tenant's.
    A thing of another tenant is `NotFound`, as one that does not exist.
    """

    async def close(self) -> None:
        """Finish what is being written and let go of the database."""
        ...

    async def ping(self) -> None:
        """Raise `StoreUnavailable` if it cannot be read and written."""
        ...

    async def record(self, notice: Notice, *, actor: str) -> Recorded:
        """Insert or advance a recording as the notice says, with its event, in one commit. Idempotent.

        in_progress → announced; completed → queued; absent → absent. What is already further stays.
        A failed, cancelled or purged recording is not reopened. The first notice decides the tenant.
        """
        ...

    async def claim(self, recording_id: RecordingId, *, actor: str) -> Recording | None:
        """Make it ``fetching`` and issue the next attempt number; None where there is nothing to fetch.

        A recording that is still ``fetching`` under a dead worker's attempt is first expired (event EXPIRE,
        ``lost`` + 1), in the same transaction. If that uses up LOST_LIMIT it becomes ``failed`` with
        ``worker_lost`` and None is returned.
        """
        ...

    async def keep(self, recording_id: RecordingId, attempt: int, kept: Kept, *, actor: str) -> Recording | None:
        """fetching → ready. None: this attempt is stale and nothing was changed."""
        ...

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
        """fetching → queued, not before a time, charging one failure to *budget*. None: stale."""
        ...

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
        """fetching → failed, charging *budget*. None: stale."""
        ...

    async def hand_back(
        self, recording_id: RecordingId, attempt: int, *, actor: str, reason: Reason | None = None
    ) -> Recording | None:
        """fetching → queued at once, charging nothing: the worker stops, or its disk is full. None: stale.

        *reason* is what a person is told of it.
        """
        ...

    async def set_number(self, number: Number) -> None:
        """Note whose number it is, instead of whose it was. `NotFound` if the tenant does not exist."""
        ...

    async def remove_number(self, number: str) -> None:
        """Forget it, or raise `NotFound`."""
        ...

    async def numbers(self) -> Sequence[Number]:
        """Return all, by number."""
        ...

    async def set_aside(self, account: Account, *, after: RecordingId | None = None, limit: int) -> Sequence[Recording]:
        """Return what waits under the default tenant of an account that finds tenants by number, and of whose call
        nothing is known, oldest first; those behind *after*."""
        ...

    async def assignable(self, account: Account, *, limit: int) -> Sequence[tuple[Recording, TenantId]]:
        """Return what waits there and whose numbers say whose it is. Where they name two tenants, none is named."""
        ...

    async def assign(self, recording: Recording, tenant_id: TenantId) -> Recording | None:
        """Give a queued recording to another tenant. None: it moved on, or is not that one's any more."""
        ...

    async def describe(self, recording_id: RecordingId, call: Call) -> None:
        """Note what call it is of. It does not move; its next move tells it. Again is fine."""
        ...

    async def cancel(self, tenant_id: TenantId | None, recording_id: RecordingId, *, actor: str) -> Recording:
        """Stop it. Raises `NotFound`, or `Conflict` where there is nothing to stop (already final)."""
        ...

    async def retry(self, tenant_id: TenantId | None, recording_id: RecordingId, *, actor: str) -> Recording:
        """failed or cancelled → queued with fresh budgets (tries, not_ready, lost = 0; the attempt goes on).

        Raises `NotFound`, or `Conflict` in another state.
        """
        ...

    async def purge(self, tenant_id: TenantId | None, recording_id: RecordingId, *, by: By, why: str) -> Recording:
        """ready, failed or cancelled → purged: the tombstone. What the vault has of it is to be erased from now on.

        Again is the same, and the first one stays. Raises `NotFound`, `Conflict` in another state, or `Held` where a
        legal hold lies on it or on its tenant. Audited, with the hash of what was there.
        """
        ...

    async def expired(self, tenant_id: TenantId, before: datetime, *, limit: int) -> Sequence[Recording]:
        """Return recordings of the tenant that became ready before a time and still are, oldest first; no held ones."""
        ...

    async def to_erase(self, *, limit: int) -> Sequence[Recording]:
        """Return purged recordings of which the vault may still have something, longest purged first."""
        ...

    async def erased(self, recording_id: RecordingId) -> None:
        """Note that the vault has nothing of a purged recording any more. Again is fine."""
        ...

    async def erase_later(self, recording_id: RecordingId) -> None:
        """Put a purged recording that could not be erased now behind the others that wait."""
        ...

    async def find(self, recording_ids: Sequence[RecordingId]) -> Mapping[RecordingId, Recording]:
        """Return those of a bounded number of recordings that exist, of every tenant."""
        ...

    async def hasten(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
        """Return it; if it is queued, let it be due now and before the archive's: a person waits for it.

        That is remembered (``wanted_at``) until it ends. Raises `NotFound`.
        """
        ...

    async def get(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Recording:
        """Return it or raise `NotFound`."""
        ...

    async def list(self, wanted: RecordingFilter, *, cursor: str | None, limit: int) -> Page:
        """Return one page by keyset, newest first. A malformed cursor raises `InvalidInput`.

        The work for one page is bounded, however many recordings there are. Where no index answers a combination
        of filters a page may therefore come short and still have a next one.
        """
        ...

    async def history(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Sequence[HistoryEntry]:
        """Return all that happened to it, oldest first. Raises `NotFound`."""
        ...

    async def note_repeat(self, recording: Recording, status: ProviderStatus) -> None:
        """Keep that a webhook came that changed nothing; 200 of a recording at most."""
        ...

    async def timeline(self, tenant_id: TenantId | None, recording_id: RecordingId) -> Timeline:
        """Return all that happened to it, the newest of who listened, and what changed nothing. Raises `NotFound`."""
        ...

    async def throughput(self, tenant_id: TenantId | None, since: datetime) -> Sequence[Ended]:
        """Return how fetches ended, by step of time from that of *since* on. The work is bounded by the time asked."""
        ...

    async def ready_of_tenants(self, tenants: Sequence[TenantId], since: datetime) -> Mapping[TenantId, int]:
        """Return how many recordings of each became ready, from the step of *since* on. Bounded by the time asked."""
        ...

    async def ready_of_accounts(self, accounts: Sequence[AccountId], since: datetime) -> Mapping[AccountId, int]:
        """Return how many recordings of each became ready, from the step of *since* on. Bounded by the time asked."""
        ...

    async def events_after(self, tenant_id: TenantId | None, seq: int, *, limit: int) -> Sequence[HistoryEntry]:
        """Return the events with a higher number, in the order of their commits; none is ever skipped."""
        ...

    async def last_seq(self) -> int:
        """Return the highest event number, 0 where there is none."""
        ...

    async def count(self, tenant_id: TenantId | None) -> Sequence[StateCount]:
        """Return how many recordings are in which state. The work does not grow with their number."""
        ...

    async def failures(self, tenant_id: TenantId | None) -> Sequence[FailureGroup]:
        """Return the failed recordings by reason, tenant and account. The work does not grow with their number."""
        ...

    async def matching(self, wanted: FailedFilter) -> int:
        """Return how many failed recordings match. The work does not grow with their number."""
        ...

    async def begin_retry(self, wanted: FailedFilter, *, owner: TenantId | None, actor: str) -> Operation:
        """Keep that all failed recordings that match now are to be retried. `work_off` does it."""
        ...

    async def operation(self, owner: TenantId | None, operation_id: str) -> Operation:
        """Return it or raise `NotFound`; None is the operator, for whom all exist."""
        ...

    async def work_off(self, *, most: int) -> Worked | None:
        """Retry the next recordings, *most* at most, of the oldest operation that runs, and count them in one commit.

        None: there is nothing to do, or another process is at it. Each recording is retried once by an operation,
        however often its process dies. What failed after it began is left alone.
        """
        ...

    async def unfinished(self, after: RecordingId | None, *, limit: int) -> Sequence[Recording]:
        """Return recordings that are queued or fetching, by id after *after*: what the scheduler must know of."""
        ...

    async def add_tenant(self, tenant: Tenant, *, by: By = CALLSPOOL) -> None:
        """Insert it, or raise `Conflict`."""
        ...

    async def set_tenant(self, tenant: Tenant, *, by: By = CALLSPOOL) -> None:
        """Replace it, or raise `NotFound`."""
        ...

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
        """Change what is given, in one step, and return it; or raise `NotFound`.

        A retention of 0: for ever. No origins: those of the setting.
        """
        ...

    async def origins(self) -> Mapping[TenantId, Sequence[str]]:
        """Return the web origins of each tenant that has some of its own."""
        ...

    async def tenant(self, tenant_id: TenantId) -> Tenant:
        """Return it or raise `NotFound`."""
        ...

    async def tenants(self) -> Sequence[Tenant]:
        """Return all, by id."""
        ...

    async def add_account(self, account: Account, *, by: By = CALLSPOOL) -> None:
        """Insert it (secrets encrypted), or raise `Conflict`; `NotFound` if its default tenant does not exist."""
        ...

    async def set_account(self, account: Account, *, by: By = CALLSPOOL) -> None:
        """Replace it, or raise `NotFound`."""
        ...

    async def remove_account(self, account_id: AccountId, *, by: By = CALLSPOOL) -> None:
        """Delete it, or raise `NotFound`, or `Conflict` where it has recordings."""
        ...

    async def adjust_account(
        self, account_id: AccountId, *, limit: int | None = None, paused: bool | None = None, by: By = CALLSPOOL
    ) -> Account:
        """Change what is given, in one step, and return it; or raise `NotFound`."""
        ...

    async def account(self, account_id: AccountId) -> Account:
        """Return it or raise `NotFound`."""
        ...

    async def accounts(self) -> Sequence[Account]:
        """Return all, by id."""
        ...

    async def add_key(self, key: ApiKey, *, by: By = CALLSPOOL) -> None:
        """Insert it; `NotFound` if its tenant does not exist."""
        ...

    async def key_by_hash(self, secret_sha256: str) -> ApiKey | None:
        """Return the key, unless it is unknown or revoked, or its time is over."""
        ...

    async def keys(self) -> Sequence[ApiKey]:
        """Return all, oldest first, revoked ones too."""
        ...

    async def revoke_key(self, key_id: str, *, by: By = CALLSPOOL) -> ApiKey:
        """Revoke it (again is the same), or raise `NotFound`."""
        ...

    async def signing_key(self) -> bytes:
        """Return the key of what API and workers say to each other, and of links at first. It never changes."""
        ...

    async def link_keys(self) -> Sequence[bytes]:
        """Return the keys of playback links, the newest first; none: `signing_key` was never replaced there."""
        ...

    async def rotate_link_key(self, overlap: timedelta, *, by: By = CALLSPOOL) -> None:
        """Let a new key sign playback links; those before it hold for *overlap* more. Audited."""
        ...

    async def reseal(self, looked: Callable[[int, int], None], *, by: By) -> int:
        """Seal all credentials anew with the newest secret key; return how many were sealed with an older one.

        *looked* is told how many rows were looked at, and of how many. May be broken off and run again.
        """
        ...

    async def audit(self, act: Act, *, by: By) -> None:
        """Write into the audit log what is done outside the store. Changes of the registry write themselves there."""
        ...

    async def audit_all(self, deeds: Sequence[Deed]) -> None:
        """Write entries in this order, all or none. *deeds* happened outside the store."""
        ...

    async def audit_log(self, before: int | None, *, limit: int, only: AuditKind | None = None) -> Sequence[AuditEntry]:
        """Return entries with a number below *before* (None: the newest), newest first; *only* those of a kind."""
        ...

    async def audit_verify(self, anchor: tuple[int, str] | None = None) -> Verdict:
        """Follow the whole chain. *anchor*: number and hash of an entry as they were noted elsewhere."""
        ...

    async def add_user(self, user: User, *, by: By = CALLSPOOL) -> None:
        """Insert it, or raise `Conflict`; `NotFound` if its tenant does not exist."""
        ...

    async def remove_user(self, name: str, *, by: By = CALLSPOOL) -> None:
        """Delete it and end its sessions, or raise `NotFound`."""
        ...

    async def user(self, name: str) -> User | None:
        """Return it, if there is one."""
        ...

    async def users(self) -> Sequence[User]:
        """Return all, by name."""
        ...

    async def begin_session(self, session: Session, *, by: By = CALLSPOOL) -> None:
        """Keep it."""
        ...

    async def session(self, secret_sha256: str) -> Session | None:
        """Return it, unless its time is over, its user was removed or its key revoked."""
        ...

    async def end_session(self, secret_sha256: str) -> None:
        """Forget it; one that is gone is fine."""
        ...

    async def try_sign_in(self, tries: Tries) -> timedelta | None:
        """Count a try before its password is looked at. If it may not be made, count nothing and return the wait."""
        ...

    async def forget_tries(self, tries: Tries) -> None:
        """Take back, after a success, what was counted against that name from that address."""
        ...
