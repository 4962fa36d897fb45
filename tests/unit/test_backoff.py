"""How long to wait before the next try: the delays that S3 names, with full jitter."""

from datetime import timedelta
from random import Random

import pytest

from callspool.domain.backoff import RETRY_DELAYS, full_jitter
from callspool.domain.errors import FetchFailed
from callspool.domain.reasons import Reason
from callspool.fetch.outcome import GiveUp, TryAgain, decide
from tests.fixtures.made import recording

SECONDS = (2, 5, 10, 20, 40)


def delays(tries: int, *, scale: float = 1.0) -> list[float]:
    """Return what a thousand recordings wait that failed once more after so many failures."""
    random = Random(1)
    failed = FetchFailed(Reason.PROVIDER_ERROR)
    asked = [decide(recording(tries=tries), failed, retry_scale=scale, random=random) for _ in range(1000)]
    return [one.delay.total_seconds() for one in asked if isinstance(one, TryAgain)]


@pytest.mark.rule("S3")
@pytest.mark.parametrize(("tries", "ceiling"), list(enumerate(SECONDS)))
def test_a_failure_waits_anything_up_to_its_delay(tries: int, ceiling: int) -> None:
    waits = delays(tries)
    assert len(waits) == 1000
    assert 0 <= min(waits) < ceiling * 0.02
    assert ceiling * 0.98 < max(waits) <= ceiling
    assert ceiling * 0.45 < sum(waits) / 1000 < ceiling * 0.55  # not huddled together


@pytest.mark.rule("S3")
def test_after_the_last_delay_it_is_given_up() -> None:
    assert tuple(delay.total_seconds() for delay in RETRY_DELAYS) == SECONDS
    after = decide(recording(tries=5), FetchFailed(Reason.PROVIDER_ERROR), retry_scale=1, random=Random(1))
    assert isinstance(after, GiveUp)


def test_what_the_provider_asks_for_is_waited_at_least() -> None:
    assert full_jitter(1, 0.0, floor=timedelta(seconds=7)) == timedelta(seconds=7)
    assert max(delays(4, scale=0.1)) <= 4
