"""What one listener heard: the very bytes that were sent, however they were asked for, in little memory."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from callspool.domain.listening import ListenResult
from callspool.playback.heard import MOST_SPANS, Heard

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
SIZE = 400

_PIECES = st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(1, 60)), max_size=200)


class Seconds:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(pieces=_PIECES, looked=st.integers(1, 50))
def test_ranges_are_what_was_sent(pieces: list[tuple[int, int]], looked: int) -> None:
    heard, sent, total = Heard(SIZE, AT), set[int](), 0
    for number, (start, length) in enumerate(pieces):
        end = min(start + length, SIZE)
        heard.add(start, end)
        sent |= set(range(start, end))
        total += end - start
        if number % looked == 0:
            heard.sum()  # what is told of in between changes nothing

    told = heard.sum()

    spans = [set(range(start, end)) for start, end in told.spans]
    assert told.sent == total
    assert all(first[1] < second[0] for first, second in pairwise(told.spans))
    if not told.is_coarse:
        assert set().union(*spans) == sent
        assert (told.result is ListenResult.COMPLETE) == (len(sent) == SIZE)


def test_many_ranges_are_told_in_a_bounded_number_that_says_so_and_leaves_nothing_out() -> None:
    heard = Heard(10_000_000, AT)
    pieces = [(n * 100 + (n // 50) * 50_000, n * 100 + (n // 50) * 50_000 + 10) for n in range(1000)]
    for start, end in pieces:
        heard.add(start, end)
    told = heard.sum()
    assert told.is_coarse
    assert len(told.spans) == MOST_SPANS
    assert all(any(begin <= start and end <= stop for begin, stop in told.spans) for start, end in pieces)


def test_a_guess_is_never_called_complete() -> None:
    heard = Heard(10_000, AT)
    for start in range(0, 10_000, 100):
        heard.add(start, start + 90)  # the gaps were never sent
    spans = heard.sum().spans
    for (_, end), (start, _) in pairwise(spans):
        heard.add(end, start)
    heard.add(spans[-1][1], 10_000)
    assert heard.sum().spans == ((0, 10_000),)
    assert heard.sum().result is ListenResult.PARTIAL


def test_it_is_quiet_after_a_pause_and_not_while_an_answer_is_on_its_way() -> None:
    clock, pause = Seconds(), timedelta(seconds=60)
    heard = Heard(SIZE, AT, clock)
    clock.now = 59.0
    assert not heard.is_quiet(pause)
    with heard.answering():
        clock.now = 600.0  # a player that has enough for now reads nothing
        assert not heard.is_quiet(pause)
    assert not heard.is_quiet(pause)
    clock.now = 660.0
    assert heard.is_quiet(pause)
    assert heard.sum().last == AT + timedelta(seconds=600)
