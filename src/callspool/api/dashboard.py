"""The shapes of JSON that the dashboard's pages are drawn from. Null figures: the scheduler does not answer."""

from datetime import datetime

from pydantic import BaseModel, Field

from callspool.domain.job import Circuit
from callspool.domain.reasons import Reason
from callspool.domain.recording import State


class TenantNow(BaseModel):
    """What a tenant's slots do, and where its recordings stand."""

    id: str
    name: str
    slots: int
    weight: float
    paused: bool
    running: int | None = Field(description="Slots in use.")
    waiting: int | None
    deferred: int | None
    oldest_waiting_at: datetime | None = Field(description="When the job that waits longest came. Null: none waits.")
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
    circuit: Circuit | None
    retry_budget: float | None = Field(description="How many retries of failed downloads are left, of 20.")


class Overview(BaseModel):
    """What is happening at this moment."""

    at: datetime
    tenants: list[TenantNow]
    accounts: list[AccountNow] | None = Field(description="For the operator; null for a tenant.")


class FailuresOfReason(BaseModel):
    """How many recordings failed for one reason."""

    reason: Reason
    sentence: str = Field(description="What a person can do about it.")
    retryable: bool = Field(description="False: the provider has deleted them, so a retry cannot bring them.")
    count: int
    oldest: datetime = Field(description="When the first of them failed.")
    newest: datetime


class Failures(BaseModel):
    """The failed recordings by reason, the most frequent first."""

    failures: list[FailuresOfReason]
