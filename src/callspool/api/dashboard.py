"""The shapes of JSON that the dashboard's pages are drawn from. Null figures: the scheduler does not answer."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from callspool.api.passwords import LONGEST
from callspool.domain.audit import AuditEntry
from callspool.domain.job import Circuit
from callspool.domain.operation import Operation, OperationKind, OperationState
from callspool.domain.origins import MOST as MOST_ORIGINS
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from callspool.domain.tenant import ApiKey, Scope


class TenantNow(BaseModel):
    """What a tenant's slots do, and where its recordings stand."""

    id: str
    name: str
    slots: int
    weight: float
    paused: bool
    allowed_origins: list[str] = Field(
        description="Web pages that may use its API and audio. Empty: as is set for all."
    )
    running: int | None = Field(description="Slots in use.")
    waiting: int | None
    deferred: int | None
    oldest_waiting_at: datetime | None = Field(description="When the job that waits longest came. Null: none waits.")
    ready_per_minute: float = Field(description="Recordings that became ready, over the last 15 to 30 minutes.")
    states: dict[State, int]


class AccountNow(BaseModel):
    """What an account's downloads do, and what keeps them back."""

    id: str
    provider: str
    limit: int = Field(description="Most downloads at once, as it was set.")
    current_limit: int | None = Field(description="In force now: lower after the provider's answers.")
    paused: bool = Field(description="By a person.")
    paused_until: datetime | None = Field(description="After an answer of the provider. Null: it is not.")
    paused_because: str | None = Field(description="The answer: `throttled`, `failed`, `refused` or `none`.")
    running: int | None
    waiting: int | None
    oldest_waiting_at: datetime | None = Field(description="When the job that waits longest came. Null: none waits.")
    circuit: Circuit | None
    retry_budget: float | None = Field(description="How many retries of failed downloads are left, of 20.")
    ready_per_minute: float = Field(description="Recordings that became ready, over the last 15 to 30 minutes.")


class Overview(BaseModel):
    """What is happening at this moment."""

    at: datetime
    tenants: list[TenantNow]
    accounts: list[AccountNow] = Field(description="For the operator; none for a tenant.")


class FailuresOfAccount(BaseModel):
    """How many recordings of one provider account failed."""

    account_id: str
    count: int


class FailuresOfReason(BaseModel):
    """How many recordings failed for one reason."""

    reason: Reason
    sentence: str = Field(description="What a person can do about it.")
    retryable: bool = Field(description="False: the provider has deleted them, so a retry cannot bring them.")
    count: int
    accounts: list[FailuresOfAccount] = Field(description="Which accounts they are of, the most frequent first.")
    oldest: datetime | None = Field(
        description="When the first of them failed. Null where an account was asked for: times are kept by reason only."
    )
    newest: datetime | None


class Failures(BaseModel):
    """The failed recordings by reason, the most frequent first."""

    groups: list[FailuresOfReason]
    accounts: list[FailuresOfAccount] = Field(
        description="All of them by account, the most frequent first, whichever account was asked for: one that "
        "breaks stands out."
    )


class RetryWish(BaseModel):
    """Which failed recordings to retry. Null means any."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason | None = None
    tenant_id: str | None = None
    account_id: str | None = None
    dry_run: bool = Field(default=False, description="Only count.")


class RetryCount(BaseModel):
    """How many a retry would touch."""

    matched: int


class OperationView(BaseModel):
    """Work on many recordings, and how far it is."""

    id: str
    kind: OperationKind
    matched: int
    done: int
    skipped: int = Field(description="Not failed any more when their turn came. Known at the end.")
    state: OperationState
    started_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, operation: Operation) -> Self:
        """Return what may be shown of *operation*."""
        return cls(
            id=operation.id,
            kind=operation.kind,
            matched=operation.matched,
            done=operation.done,
            skipped=operation.skipped,
            state=operation.state,
            started_at=operation.started_at,
            ended_at=operation.ended_at,
        )


class SignIn(BaseModel):
    """A name and its password, or a key."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str | None = Field(default=None, max_length=100)
    password: str | None = Field(default=None, max_length=LONGEST)
    key: str | None = Field(default=None, max_length=200)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.key is None) == (self.name is None or self.password is None):
            raise ValueError("give name and password, or a key")
        return self


class ThroughputPoint(BaseModel):
    """What ended in one step of time."""

    at: datetime = Field(description="When the step began.")
    ready: int
    failed: int
    p50_s: float | None = Field(description="Half of the ready ones took at most so long from queued to ready.")
    p95_s: float | None


class Throughput(BaseModel):
    """A series, oldest first, without gaps."""

    step_s: int
    points: list[ThroughputPoint]


class TenantChange(BaseModel):
    """What to change of a tenant. What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    slots: int | None = Field(default=None, ge=0, le=10_000, description="Most downloads at once.")
    weight: float | None = Field(default=None, ge=0.01, le=1000, description="Its share against other tenants.")
    paused: bool | None = None
    keep_days: int | None = Field(
        default=None, ge=0, le=36_500, description="Recordings are purged so long after they became ready. 0: never."
    )
    allowed_origins: list[str] | None = Field(
        default=None,
        max_length=MOST_ORIGINS,
        description="Web pages that may use its API and audio in a browser: origins. Empty: those of the setting.",
    )


class TenantSettings(BaseModel):
    """A tenant as it is set now."""

    id: str
    name: str
    slots: int
    weight: float
    paused: bool
    keep_days: int | None = Field(description="Null: its recordings are kept for ever.")
    allowed_origins: list[str] = Field(description="Empty: those of the setting `ALLOWED_ORIGINS`.")
    in_force: bool = Field(description="False: the scheduler does not answer. It is told as soon as it does.")


class AccountChange(BaseModel):
    """What to change of an account. What is left out stays."""

    model_config = ConfigDict(extra="forbid")

    limit: int | None = Field(default=None, ge=0, le=10_000, description="Most downloads at once.")
    paused: bool | None = Field(
        default=None, description="False also ends a pause that the provider's answers caused, if a person had paused."
    )


class AccountSettings(BaseModel):
    """An account as it is set now."""

    id: str
    provider: str
    default_tenant: str
    limit: int
    paused: bool
    in_force: bool = Field(description="False: the scheduler does not answer. It is told as soon as it does.")


class AccountList(BaseModel):
    """The accounts, and what their downloads do."""

    accounts: list[AccountNow]


class KeyWish(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100, description="What it is for.")
    tenant_id: str | None = Field(default=None, description="Null: the operator's.")
    scopes: list[Scope] = Field(default=list(Scope), min_length=1, description="What it may do. Without: all.")
    expires_at: AwareDatetime | None = Field(default=None, description="Null: it holds until it is revoked.")


class KeyView(BaseModel):
    """A key by its public id. Its secret is kept nowhere."""

    id: str
    name: str
    tenant_id: str | None = Field(description="Null: the operator's.")
    scopes: list[Scope] = Field(description="What it may do.")
    created_at: datetime
    expires_at: datetime | None = Field(description="From then on it opens nothing.")
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Return what may be shown of *key*."""
        return cls(**_shown(key))


class NewKey(KeyView):
    """A key that was just made."""

    secret: str = Field(description="What to send as `Authorization: Bearer`. It is shown this once.")

    @classmethod
    def with_text(cls, key: ApiKey, text: str) -> Self:
        """Return the key with its text."""
        return cls(**_shown(key), secret=text)


class KeyList(BaseModel):
    """All keys, the oldest first, revoked ones too."""

    keys: list[KeyView]


def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "tenant_id": key.tenant_id,
        "scopes": sorted(key.scopes),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


class AuditView(BaseModel):
    """Who changed what, or who listened to what."""

    seq: int
    at: datetime
    actor: str
    action: str
    target: str
    tenant_id: str | None
    detail: dict[str, Any]
    address: str | None = Field(description="From where, as the connection says.")
    hash: str = Field(description="Over this entry and the one before it.")

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Return what may be shown of *entry*."""
        return cls(**{**asdict(entry), "detail": json.loads(entry.detail)})


class AuditLog(BaseModel):
    """One page, newest first."""

    entries: list[AuditView]
    next_cursor: str | None
