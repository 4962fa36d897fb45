"""Which bytes to send: RFC 9110's conditional and range requests, as pure functions.

What is malformed is ignored, as the RFC wants, and never an error: the client then gets the whole.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MOST_RANGES: Final = 16
"""A request for more is answered with the whole (RFC 9110, 14.2: a server may ignore many small ranges)."""

_RANGES = re.compile(r"bytes=(.*)", re.IGNORECASE)
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_ETAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_FAR: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from ``start`` up to, not including, ``end``; never empty."""

    start: int
    end: int

    def content_range(self, size: int) -> str:
        """Return the field's value for this part of *size* bytes."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


@dataclass(frozen=True, slots=True)
class Whole:
    """200: all of it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """206: one span, or several as multipart/byteranges."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """416."""


@dataclass(frozen=True, slots=True)
class NotModified:
    """304."""


@dataclass(frozen=True, slots=True)
class Differs:
    """412."""


Answer = Whole | Parts | Unsatisfiable | NotModified | Differs


@dataclass(frozen=True, slots=True)
class Conditions:
    """The request's fields that decide; None where one was not sent."""

    method: str = "GET"
    range: str | None = None
    if_range: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None


def decide(conditions: Conditions, *, size: int, etag: str) -> Answer:
    """Return what to answer, in the order of RFC 9110, 13.2.2. *etag* is strong and stands in its quotes."""
    if conditions.if_match is not None and not _matches(conditions.if_match, etag, weak=False):
        return Differs()
    if conditions.if_none_match is not None and _matches(conditions.if_none_match, etag, weak=True):
        return NotModified()
    if conditions.method != "GET" or conditions.range is None:
        return Whole()  # ranges are defined for GET alone (14.2)
    # A date never matches: our files have no date that is a strong validator, and the whole is always right.
    if conditions.if_range is not None and conditions.if_range.strip() != etag:
        return Whole()
    wanted = _parse(conditions.range)
    return Whole() if wanted is None else _select(wanted, size)


def _parse(text: str) -> list[tuple[int | None, int | None]] | None:
    """Return (first, last) pairs, (None, length) for a suffix; None where the field is to be ignored."""
    found = _RANGES.fullmatch(text.strip())
    if found is None:
        return None
    wanted: list[tuple[int | None, int | None]] = []
    for item in found[1].split(","):
        spec = item.strip(" \t")
        if not spec:
            continue  # a list may have empty elements (5.6.1)
        pair = _SPEC.fullmatch(spec)
        if pair is None or spec == "-":
            return None
        first, last = (_number(digits) for digits in pair.groups())
        if first is not None and last is not None and last < first:
            return None
        wanted.append((first, last))
    return wanted if 0 < len(wanted) <= MOST_RANGES else None


def _number(digits: str) -> int | None:
    if not digits:
        return None
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else _FAR


def _select(wanted: list[tuple[int | None, int | None]], size: int) -> Answer:
    spans: list[Span] = []
    suffix_of_nothing = False
    for first, last in wanted:
        if first is None:
            length = min(last or 0, size)
            suffix_of_nothing = suffix_of_nothing or (size == 0 and bool(last))
            span = Span(size - length, size)
        else:
            span = Span(first, size if last is None else min(last + 1, size))
        if span.start < span.end:
            spans.append(span)
    if not spans:
        # A suffix of an empty file is satisfiable, but no Content-Range can say so.
        return Whole() if suffix_of_nothing else Unsatisfiable()
    return Parts(tuple(_apart(spans)))


def _apart(spans: list[Span]) -> Iterable[Span]:
    """Keep the order asked for where no two overlap; else merge them (15.3.7.2), so nothing is sent twice."""
    ordered = sorted(spans, key=lambda span: span.start)
    if all(before.end <= after.start for before, after in pairwise(ordered)):
        return spans
    merged = [ordered[0]]
    for span in ordered[1:]:
        if span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _matches(field: str, etag: str, *, weak: bool) -> bool:
    """Say whether a list of entity tags, or ``*``, names *etag*."""
    if field.strip() == "*":
        return True
    return any(tag == etag and (weak or not prefix) for prefix, tag in _ETAG.findall(field))
