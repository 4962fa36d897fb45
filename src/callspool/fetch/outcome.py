"""How a job's work ended: what metrics count and what the policy table decides."""

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from callspool.domain.backoff import NOT_READY_LIMIT, RETRY_DELAYS
from callspool.domain.errors import FetchFailed
from callspool.domain.ids import TenantId
from callspool.domain.reasons import POLICIES, Budget, Reason
from callspool.domain.recording import Recording, State


@dataclass(frozen=True, slots=True)
class Outcome:
    """One fetch, ended."""

    tenant_id: TenantId
    state: State
    """ready, failed, or queued where it goes on later."""
    reason: Reason | None
    bytes: int
    time_to_ready_s: float | None
    """From the first notice to ready."""
    seconds: float
    """From the claim to the end of this try."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further try."""

    reason: Reason
    budget: Budget


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Another try after ``delay``; ``pause`` is how long the whole account rests."""

    budget: Budget
    delay: timedelta
    pause: timedelta


def decide(recording: Recording, failed: FetchFailed, *, retry_scale: float, random: Random) -> GiveUp | TryAgain:
    """Return what follows from a failure, by the policy of its reason and what was used up before."""
    policy = POLICIES[failed.reason]
    if policy.final:
        return GiveUp(failed.reason, policy.budget)
    failures = 1
    if policy.budget is Budget.TRIES:
        failures = recording.tries + 1
        if failures > len(RETRY_DELAYS):
            return GiveUp(failed.reason, policy.budget)
    elif policy.budget is Budget.NOT_READY:
        failures = recording.not_ready + 1
        if failures > NOT_READY_LIMIT:
            return GiveUp(Reason.NOT_FOUND, policy.budget)
    delay = policy.delay.wait(failures, random.random(), scale=retry_scale, asked=failed.retry_after)
    return TryAgain(policy.budget, delay, delay if policy.pauses_account else timedelta())
