"""RFC 9110 ranges against Python's slices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callspool.playback.ranges import MOST_RANGES, Conditions, Parts, Unsatisfiable, Whole, decide

ETAG = '"abc"'

sizes = st.integers(0, 60)
numbers = st.integers(0, 70)


@st.composite
def specs(draw: st.DrawFn) -> tuple[str, range | None]:
    """A range as it is written, and the offsets that it names, not yet cut to a size (None: a suffix)."""
    kind = draw(st.sampled_from(["closed", "open", "suffix"]))
    first = draw(numbers)
    zeros = "0" * draw(st.integers(0, 30))
    if kind == "closed":
        last = draw(st.one_of(st.integers(first, 80), st.just(10**30)))
        return f"{zeros}{first}-{last}", range(first, last + 1)
    if kind == "open":
        return f"{first}-", range(first, 10**31)
    return f"-{zeros}{first}", None


def sliced(data: bytes, text: str, wanted: range | None) -> bytes:
    if wanted is None:
        length = int(text[1:])
        return data[-length:] if length else b""
    return data[wanted.start : wanted.stop]


@pytest.mark.rule("F15")
@given(size=sizes, spec=specs())
def test_one_range_is_the_slice_that_it_names(size: int, spec: tuple[str, range | None]) -> None:
    data = bytes(range(size))
    text, wanted = spec
    expected = sliced(data, text, wanted)

    answer = decide(Conditions(range=f"bytes={text}"), size=size, etag=ETAG)

    if expected:
        assert isinstance(answer, Parts)
        (span,) = answer.spans
        assert data[span.start : span.end] == expected
        assert span.content_range(size) == f"bytes {span.start}-{span.end - 1}/{size}"
    elif size == 0 and wanted is None and int(text[1:]):
        assert answer == Whole()
    else:
        assert answer == Unsatisfiable()


@given(
    size=sizes, several=st.lists(specs(), min_size=1, max_size=MOST_RANGES), gap=st.sampled_from([",", ", ", " ,, "])
)
def test_several_ranges_send_every_byte_asked_for_once(
    size: int, several: list[tuple[str, range | None]], gap: str
) -> None:
    data = bytes(range(size))
    expected = set().union(*(sliced(data, text, wanted) for text, wanted in several))

    answer = decide(Conditions(range="bytes=" + gap.join(text for text, _ in several)), size=size, etag=ETAG)

    if not expected:
        assert answer in (Unsatisfiable(), Whole())
        assert size == 0 or answer == Unsatisfiable()
        return
    assert isinstance(answer, Parts)
    sent = [byte for span in answer.spans for byte in data[span.start : span.end]]
    assert sorted(sent) == sorted(expected)


@given(size=sizes, text=st.text(alphabet="bytes=0123456789-, \tABC;é", max_size=30))
def test_any_text_at_all_is_answered(size: int, text: str) -> None:
    answer = decide(Conditions(range=text), size=size, etag=ETAG)

    match answer:
        case Parts(spans):
            assert all(0 <= span.start < span.end <= size for span in spans)
        case Unsatisfiable() | Whole():
            pass
        case _:
            pytest.fail(f"not an answer to a range: {answer}")
