"""RFC 9110, case by case."""

import pytest

from callspool.playback.ranges import (
    MOST_RANGES,
    Answer,
    Conditions,
    Differs,
    NotModified,
    Parts,
    Span,
    Unsatisfiable,
    Whole,
    decide,
)

ETAG = '"abc"'


def answer_to(
    text: str | None = None,
    *,
    method: str = "GET",
    if_range: str | None = None,
    if_match: str | None = None,
    if_none_match: str | None = None,
    size: int = 1000,
) -> Answer:
    return decide(Conditions(method, text, if_range, if_match, if_none_match), size=size, etag=ETAG)


@pytest.mark.rule("F15")
def test_safaris_first_question_gets_two_bytes() -> None:
    assert answer_to("bytes=0-1") == Parts((Span(0, 2),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-", Parts((Span(0, 1000),))),
        ("bytes=999-999", Parts((Span(999, 1000),))),
        ("bytes=990-5000", Parts((Span(990, 1000),))),
        ("bytes=-5", Parts((Span(995, 1000),))),
        ("bytes=-5000", Parts((Span(0, 1000),))),
        ("BYTES=1-2", Parts((Span(1, 3),))),
        ("bytes=0-1,4-5", Parts((Span(0, 2), Span(4, 6)))),
        ("bytes=4-5, 0-1", Parts((Span(4, 6), Span(0, 2)))),
        ("bytes=0-9,5-14", Parts((Span(0, 15),))),
        ("bytes=0-1,2000-", Parts((Span(0, 2),))),
        ("bytes=1000-", Unsatisfiable()),
        ("bytes=-0", Unsatisfiable()),
        ("bytes=" + "9" * 40 + "-", Unsatisfiable()),
    ],
)
def test_well_formed_ranges(text: str, expected: Answer) -> None:
    assert answer_to(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=5-4", "bytes=a-b", "bytes=0-1;2-3", "lines=0-1", "bytes=0-1,x",
     "bytes=٣-٤", "bytes= =1-2", "bytes=1--2", "bytes=+1-2"],
)  # fmt: skip
def test_what_is_malformed_is_ignored(text: str) -> None:
    assert answer_to(text) == Whole()


def test_too_many_ranges_are_answered_with_the_whole() -> None:
    few = ",".join(f"{2 * n}-{2 * n}" for n in range(MOST_RANGES))

    assert isinstance(answer_to("bytes=" + few), Parts)
    assert answer_to(f"bytes={few},900-901") == Whole()


def test_a_head_request_ignores_the_range() -> None:
    assert answer_to("bytes=0-1", method="HEAD") == Whole()


@pytest.mark.parametrize(
    ("if_range", "expected"),
    [
        (ETAG, Parts((Span(0, 2),))),
        ('W/"abc"', Whole()),
        ('"other"', Whole()),
        ("Tue, 15 Nov 1994 12:45:26 GMT", Whole()),
    ],
)
def test_if_range_compares_strongly(if_range: str, expected: Answer) -> None:
    assert answer_to("bytes=0-1", if_range=if_range) == expected


@pytest.mark.parametrize("field", [ETAG, 'W/"abc"', '"x", "abc"', "*", '"x",W/"abc"'])
def test_if_none_match_saves_the_body(field: str) -> None:
    assert answer_to("bytes=0-1", if_none_match=field) == NotModified()
    assert answer_to(method="HEAD", if_none_match=field) == NotModified()


def test_if_none_match_with_another_tag_sends_it() -> None:
    assert answer_to(if_none_match='"other", W/"more"') == Whole()


@pytest.mark.parametrize(
    ("field", "expected"), [(ETAG, Whole()), ("*", Whole()), ('W/"abc"', Differs()), ('"x"', Differs())]
)
def test_if_match_compares_strongly_and_comes_first(field: str, expected: Answer) -> None:
    assert answer_to(if_match=field) == expected
    assert answer_to(if_match='"x"', if_none_match=ETAG) == Differs()
