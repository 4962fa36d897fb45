"""How a pool keeps to its provider's pace when the server's clock is set, and within one of its milliseconds."""

from collections.abc import Iterator

import pytest

from tests.fixtures.nodes import Clocked
from tests.fixtures.raw import End, Grant, Raw, Request

NOON_MS = 1_800_000_000_000
TEN_MINUTES_MS = 600_000


class Pool:
    """A pool with a limit of 16 and enough jobs, on a server whose clock stands still."""

    def __init__(self, raw: Raw, clocked: Clocked) -> None:
        self.raw, self._clocked, self._requests = raw, clocked, 0
        self.set_clock(NOON_MS)
        raw.call("open")
        raw.call("set_tenant", "acme", 100, 1, 0)
        raw.call("set_pool", "main", 16, 0)
        raw.submit(*((f"j{n}", "main", "acme", "bulk", 0) for n in range(200)))

    def set_clock(self, at_ms: int) -> None:
        self._clocked.stop_clock(at_ms, self.raw.client)

    def turn(self, room: int, *ends: End) -> tuple[Grant, ...]:
        self._requests += 1
        _, grants = self.raw.turn(Request(f"r{self._requests}", "w", room, ends))
        return grants

    def answer(self, latency_ms: int) -> int:
        """Have a job granted now and answered after so long; return the limit that is in force then."""
        (grant,) = self.turn(1)
        self.turn(0, good(grant, latency_ms))
        return self.limit_in_force

    @property
    def limit_in_force(self) -> int:
        limit: int = self.raw.call("pool_loads", 1, "main")[0]
        return limit


@pytest.fixture
def pool(clocked: Clocked) -> Iterator[Pool]:
    raw = Raw(clocked.url)
    yield Pool(raw, clocked)
    raw.close()


def throttled(grant: Grant) -> End:
    return End(grant.job, grant.token, "defer", 60_000, 0, "throttled")


def good(grant: Grant, latency_ms: int = 0) -> End:
    return End(grant.job, grant.token, signal="ok", latency_ms=latency_ms)


def test_slow_downs_of_jobs_that_began_together_count_once_however_quickly_they_come(pool: Pool) -> None:
    first, *others = pool.turn(16)
    pool.turn(0, throttled(first))
    for grant in others:
        pool.turn(0, throttled(grant))
    assert pool.limit_in_force == 8


def test_a_slow_down_counts_though_the_clock_was_set_back_since_the_last(pool: Pool) -> None:
    first, second, *others = pool.turn(16)
    pool.turn(0, throttled(first))
    pool.set_clock(NOON_MS - TEN_MINUTES_MS)
    pool.raw.call("open")
    pool.turn(0, *(End(grant.job, grant.token) for grant in others))
    granted = pool.turn(7)
    pool.turn(0, throttled(second))
    assert pool.limit_in_force == 8  # that one is of before
    pool.turn(0, throttled(granted[0]))
    assert pool.limit_in_force == 4
    (one,) = pool.turn(1, *(End(grant.job, grant.token) for grant in granted[1:]))
    for _ in range(4):
        (one,) = pool.turn(1, good(one))
    assert pool.limit_in_force == 4
    pool.turn(0, good(one))
    assert pool.limit_in_force == 5


def test_a_rest_that_is_over_does_not_come_again_when_the_clock_is_set_back(pool: Pool) -> None:
    (grant,) = pool.turn(1)
    pool.turn(0, End(grant.job, grant.token, "defer", 60_000, 20_000, "throttled"))
    assert pool.turn(1) == ()
    pool.set_clock(NOON_MS + 20_000)
    assert pool.turn(0) == ()
    pool.set_clock(NOON_MS + 1_000)
    (grant,) = pool.turn(1)
    pool.turn(0, End(grant.job, grant.token, "defer", 60_000, 500, "throttled"))
    assert pool.turn(1) == ()
    pool.set_clock(NOON_MS + 1_500)
    assert len(pool.turn(1)) == 1


@pytest.mark.rule("I1")
def test_a_job_alone_is_one_too_many_where_the_limit_is_none(pool: Pool) -> None:
    (grant,) = pool.turn(1)
    pool.turn(0, End(grant.job, grant.token, "defer", 60_000, 1_000, "refused"))
    pool.raw.call("set_pool", "main", 0, 0)
    pool.set_clock(NOON_MS + 1_000)
    assert pool.turn(1) == ()
    pool.raw.call("set_pool", "main", 16, 0)
    assert len(pool.turn(9)) == 1


def test_the_limit_in_force_is_the_one_that_is_shown(pool: Pool) -> None:
    """It is kept with four decimals: 2.618 and its share of a good job make 3.0000, and 2.99997 before."""
    pool.raw.client.hset(pool.raw.key("pool:main"), "window", "2.618")
    first, _ = pool.turn(9)
    assert len(pool.turn(9, good(first))) == 2
    assert pool.limit_in_force == 3


@pytest.mark.parametrize(("fastest_ms", "bearable_ms"), [(100, 650), (1000, 4250)])
def test_an_answer_is_slow_past_four_times_the_fastest_and_250_ms(
    pool: Pool, fastest_ms: int, bearable_ms: int
) -> None:
    pool.answer(fastest_ms)
    assert pool.answer(bearable_ms) == 16
    assert pool.answer(bearable_ms + 1) == 14


def test_slow_answers_take_a_tenth_of_the_limit_at_most_once_a_second(pool: Pool) -> None:
    pool.answer(100)
    limits = []
    for second in range(6):
        pool.set_clock(NOON_MS + second * 1_000)
        limits.append(pool.answer(5_000))
        assert pool.answer(5_000) == limits[-1]
        pool.set_clock(NOON_MS + second * 1_000 + 999)
        assert pool.answer(5_000) == limits[-1]
    assert limits == [14, 12, 11, 10, 9, 8]  # 14.4, 12.96, 11.664, 10.4976, 9.4478, 8.503


def test_each_ten_seconds_without_a_faster_answer_make_the_fastest_a_tenth_longer(pool: Pool) -> None:
    """In whole milliseconds, rounded up: 95, 105, 116."""
    pool.answer(95)
    pool.set_clock(NOON_MS + 10_000)
    assert pool.answer(600) == 16  # the ten seconds are not over yet
    pool.set_clock(NOON_MS + 10_001)
    assert pool.answer(600) == 16  # from here on
    pool.set_clock(NOON_MS + 20_001)
    assert pool.answer(4 * 105 + 250) == 16
    pool.set_clock(NOON_MS + 20_002)
    assert pool.answer(4 * 105 + 250) == 16  # and from here on
    assert pool.answer(4 * 116 + 250) == 16
    assert pool.answer(4 * 116 + 251) == 14


def test_a_long_silence_makes_it_longer_for_each_ten_seconds_of_it(pool: Pool) -> None:
    """100, 111, 123, 136; in an hour as long as what came then."""
    pool.answer(100)
    pool.set_clock(NOON_MS + 30_001)
    pool.answer(600)
    assert pool.answer(4 * 136 + 250) == 16
    pool.set_clock(NOON_MS + 3_600_000)
    pool.answer(700)
    assert pool.answer(4 * 700 + 250) == 16
    assert pool.answer(4 * 700 + 251) == 14


def test_the_fastest_answer_never_becomes_longer_than_one_that_came(pool: Pool) -> None:
    pool.answer(100)
    pool.set_clock(NOON_MS + 10_001)
    pool.answer(103)
    assert pool.answer(4 * 103 + 250) == 16
    assert pool.answer(4 * 103 + 251) == 14


def test_a_faster_answer_is_the_fastest_at_once_and_for_ten_seconds(pool: Pool) -> None:
    pool.answer(100)
    pool.set_clock(NOON_MS + 9_000)
    pool.answer(50)
    pool.set_clock(NOON_MS + 19_000)
    assert pool.answer(4 * 50 + 250) == 16
    assert pool.answer(4 * 50 + 251) == 14
