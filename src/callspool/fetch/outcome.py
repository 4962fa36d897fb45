"""How a job's work ended: what metrics count and what the policy table decides."""

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Final

from callspool.domain.backoff import NOT_READY_LIMIT, RETRY_DELAYS, full_jitter
from callspool.domain.errors import FetchFailed
from callspool.domain.ids import TenantId
from callspool.domain.reasons import POLICIES, Budget, Reason
from callspool.domain.recording import Recording, State

THROTTLED_PAUSE: Final = timedelta(seconds=5)
"""Where the provider asked us to slow down and did not say for how long."""
UNAUTHORIZED_PAUSE: Final = timedelta(seconds=60)
"""With refused credentials one try a minute shows when they are right again."""


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
    floor = failed.retry_after or timedelta()
    if policy.pauses_account:
        ours = THROTTLED_PAUSE if failed.reason is Reason.THROTTLED else UNAUTHORIZED_PAUSE
        pause = failed.retry_after or ours * retry_scale
        return TryAgain(policy.budget, pause, pause)
    failures = 1
    if policy.budget is Budget.TRIES:
        failures = recording.tries + 1
        if failures > len(RETRY_DELAYS):
            return GiveUp(failed.reason, policy.budget)
    elif policy.budget is Budget.NOT_READY:
        failures = recording.not_ready + 1
        if failures > NOT_READY_LIMIT:
            return GiveUp(Reason.NOT_FOUND, policy.budget)
    delay = max(floor, full_jitter(failures, random.random()) * retry_scale)
    return TryAgain(policy.budget, delay, timedelta())
