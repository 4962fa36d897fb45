"""Buckets of waiting, and what is read from them."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from callspool.domain.pace import bucket_of, percentile


@given(st.floats(min_value=0.1, max_value=90 * 86400))
def test_a_bucket_tells_its_time_within_a_tenth(seconds: float) -> None:
    told = percentile({bucket_of(timedelta(seconds=seconds)): 1}, 0.5)

    assert told is not None
    assert abs(told - seconds) <= 0.1 * seconds + 0.001


def test_percentiles_of_many() -> None:
    counts: dict[int, int] = {}
    for seconds in range(1, 101):
        bucket = bucket_of(timedelta(seconds=seconds))
        counts[bucket] = counts.get(bucket, 0) + 1

    p50, p95 = percentile(counts, 0.5), percentile(counts, 0.95)

    assert p50 is not None
    assert p95 is not None
    assert (40 < p50 < 60, 85 < p95 < 110) == (True, True)
    assert percentile({}, 0.5) is None
