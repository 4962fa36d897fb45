"""Who listened, as the audit log has it: an entry when a listening begins, and what it was once it is over.

A listening is what one listener hears of one recording without a long pause: a player asks for it in dozens of
ranges. One that goes on for long is told of in between, so that little is lost with a process that dies.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from callspool.domain.audit import Act
from callspool.domain.ids import RecordingId, TenantId

LISTEN: Final = "recording.listen"
HEARD: Final = "recording.heard"
REFUSED: Final = "recording.refused"

Span = tuple[int, int]
"""Bytes from the first number up to, and without, the second."""


class ListenForm(StrEnum):
    """In which form it is heard."""

    AUDIO = "audio"
    OPUS = "opus"
    """The smaller one."""
    GROWING = "growing"
    """While it comes from the provider."""
    DOWNLOAD = "download"
    """Saved as a file."""
    OPUS_DOWNLOAD = "opus_download"


class ListenResult(StrEnum):
    """What came of it."""

    COMPLETE = "complete"
    """Every byte was sent."""
    PARTIAL = "partial"
    REDIRECTED = "redirected"
    """To the object storage, which alone knows what was sent."""
    NOTHING = "nothing"
    """The browser had it already, or went before the first byte."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one listening is in the log: the same in each of its entries."""

    id: str
    """Tells it from others."""
    recording_id: RecordingId
    tenant_id: TenantId
    attempt: int
    how: ListenForm
    by: str
    """``key``, ``session``, or ``link``: then the actor is who asked for the link."""

    def begun(self) -> Act:
        """Return what is written when it begins."""
        return self._act(LISTEN, {})

    def heard(self, heard: "Sum", *, so_far: bool) -> Act:
        """Return what is written when it is over or, *so_far*, in between."""
        detail: dict[str, Any] = {
            "requests": heard.requests,
            "bytes": heard.sent,
            "ranges": ",".join(f"{start}-{end - 1}" for start, end in heard.spans),
            "size": heard.size,
            "first": _text(heard.first),
            "last": _text(heard.last),
            "result": heard.result,
        }
        marks = {"coarse": heard.is_coarse, "so_far": so_far}
        return self._act(HEARD, detail | {name: True for name, is_set in marks.items() if is_set})

    def _act(self, action: str, detail: dict[str, Any]) -> Act:
        known = {"listening": self.id, "attempt": self.attempt, "how": self.how, "by": self.by}
        return Act(action, self.recording_id, self.tenant_id, known | detail)


@dataclass(frozen=True, slots=True)
class Sum:
    """What was sent to one listener."""

    requests: int
    sent: int
    """Bytes, each as often as it was sent."""
    spans: Sequence[Span]
    is_coarse: bool
    """There were so many that those next to each other were put together, with what lies between."""
    size: int | None
    """Of the whole. None: its end was not seen."""
    first: datetime
    last: datetime
    redirected: bool

    @property
    def result(self) -> ListenResult:
        """What came of it."""
        if not self.spans:
            return ListenResult.REDIRECTED if self.redirected else ListenResult.NOTHING
        is_whole = list(self.spans) == [(0, self.size)] and not self.is_coarse
        return ListenResult.COMPLETE if is_whole else ListenResult.PARTIAL


@dataclass(frozen=True, slots=True)
class Listen:
    """Someone listened."""

    at: datetime
    """When that began."""
    actor: str
    """By a link: who asked for it; ``link`` where nobody knows any more."""
    by_link: bool = False
    how: ListenForm | None = None
    """None here and below: it was noted before callspool knew, or it goes on."""
    until: datetime | None = None
    bytes: int | None = None
    result: ListenResult | None = None


class Line(NamedTuple):
    """What is read of an entry about a listening."""

    at: datetime
    actor: str
    action: str
    detail: str


def listens_of(lines: Iterable[Line]) -> list[Listen]:
    """Return the listenings that *lines* (oldest first) tell of, in the order of their beginnings."""
    found: dict[str, Listen] = {}
    for line in lines:
        detail = json.loads(line.detail)
        known = found.get(detail["listening"])
        if known is None:
            known = Listen(line.at, line.actor, detail["by"] == "link", ListenForm(detail["how"]))
        if line.action == HEARD:
            known = replace(
                known,
                at=min(known.at, datetime.fromisoformat(detail["first"])),
                until=datetime.fromisoformat(detail["last"]),
                bytes=detail["bytes"],
                result=ListenResult(detail["result"]),
            )
        found[detail["listening"]] = known
    return sorted(found.values(), key=lambda one: one.at)


def refused(
    why: str, recordings: Sequence[str], tenant_id: TenantId | None, tries: int, first: datetime, last: datetime
) -> Act:
    """Return what is written of tries to hear something that were refused."""
    detail = {"why": why, "tries": tries, "first": _text(first), "last": _text(last)}
    more = {"recordings": list(recordings)} if len(recordings) > 1 else {}
    return Act(REFUSED, recordings[0], tenant_id, detail | more)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")
