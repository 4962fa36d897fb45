"""What follows from each failure, by the one table of reasons."""

from datetime import timedelta
from random import Random

import pytest

from callspool.domain.backoff import ASKED_SPREAD, NOT_READY_LIMIT, RETRY_DELAYS
from callspool.domain.errors import FetchFailed
from callspool.domain.reasons import POLICIES, Budget, Reason
from callspool.fetch.outcome import GiveUp, TryAgain, decide
from tests.fixtures import made

TEMPORARY = [reason for reason, policy in POLICIES.items() if not policy.final]
PAUSING = [reason for reason, policy in POLICIES.items() if policy.pauses_account]


def decisions(reason: Reason, *, retry_after: timedelta | None = None, **counts: int) -> list[TryAgain]:
    """Decide a hundred times."""
    chance, recording = Random(3), made.recording(**counts)
    failed = FetchFailed(reason, "", retry_after)
    found = [decide(recording, failed, retry_scale=1.0, random=chance) for _ in range(100)]
    assert all(isinstance(one, TryAgain) for one in found)
    return [one for one in found if isinstance(one, TryAgain)]


def test_every_reason_has_its_policy() -> None:
    assert set(POLICIES) == set(Reason)
    assert all(policy.sentence and policy.delay.ceilings for policy in POLICIES.values())


@pytest.mark.parametrize("reason", TEMPORARY)
def test_no_two_that_failed_together_come_back_together(reason: Reason) -> None:
    delays = {one.delay for one in decisions(reason)}
    assert len(delays) > 50
    assert max(delays) <= POLICIES[reason].delay.ceilings[0]


@pytest.mark.parametrize("reason", TEMPORARY)
def test_what_the_provider_asks_for_is_kept_to_and_spread(reason: Reason) -> None:
    """The longer of the two waits counts; none is shorter than what was asked for."""
    asked = timedelta(minutes=10)
    delays = {one.delay for one in decisions(reason, retry_after=asked)}
    assert asked <= min(delays)
    assert max(delays) <= asked * (1 + ASKED_SPREAD)
    assert len(delays) > 50


@pytest.mark.parametrize("reason", TEMPORARY)
def test_only_what_says_something_of_the_account_lets_it_rest(reason: Reason) -> None:
    for one in decisions(reason):
        assert one.pause == (one.delay if reason in PAUSING else timedelta())
    assert {*PAUSING} == {Reason.UNAUTHORIZED, Reason.THROTTLED}


def test_a_pause_without_a_time_is_the_table_s() -> None:
    throttled = [one.pause.total_seconds() for one in decisions(Reason.THROTTLED)]
    refused = [one.pause.total_seconds() for one in decisions(Reason.UNAUTHORIZED)]
    assert 2.5 <= min(throttled) < max(throttled) <= 5
    assert 54 <= min(refused) < max(refused) <= 60


@pytest.mark.rule("S3")
def test_each_retry_may_wait_longer_and_after_the_last_it_is_given_up() -> None:
    for tries, ceiling in enumerate(RETRY_DELAYS):
        longest = max(one.delay for one in decisions(Reason.PROVIDER_ERROR, tries=tries))
        assert ceiling * 0.8 < longest <= ceiling
    failed = FetchFailed(Reason.PROVIDER_ERROR, "")
    last = decide(made.recording(tries=len(RETRY_DELAYS)), failed, retry_scale=1.0, random=Random(3))
    assert last == GiveUp(Reason.PROVIDER_ERROR, Budget.TRIES)


@pytest.mark.rule("F14")
def test_not_ready_has_a_count_of_its_own_and_ends_as_not_found() -> None:
    assert decisions(Reason.NOT_READY, tries=99)
    failed = FetchFailed(Reason.NOT_READY, "")
    last = decide(made.recording(not_ready=NOT_READY_LIMIT), failed, retry_scale=1.0, random=Random(3))
    assert last == GiveUp(Reason.NOT_FOUND, Budget.NOT_READY)
