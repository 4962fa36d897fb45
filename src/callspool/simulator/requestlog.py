"""The provider's own record of what it was asked: the measure of how well its client behaves.

Times are the monotonic clock's. A request ends when its last byte has gone to the kernel or the connection has
broken, and before any later request of the same client can be seen.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, Self

Group = Literal["tag", "account_sid", "recording_sid"]

FOREVER: Final = float("inf")


@dataclass(slots=True)
class Entry:
    """One request. It is filled in while the request runs."""

    number: int
    method: str
    path: str
    start: float
    kind: Literal["api", "media"] = "api"
    origin: Literal["api", "media"] = "api"
    """Which of the two origins was asked: redirects lead to the second."""
    account_sid: str = ""
    recording_sid: str = ""
    tag: str = ""
    status: int = 0
    """0: nothing was answered."""
    end: float | None = None
    """None: it is still running."""
    sent: int = 0
    """Bytes of the body."""
    last_sent: float | None = None
    """When bytes last went out."""
    whole: bool = False
    """All of the recording, or the rest of it that was missing, was sent."""
    fault: str = ""
    authorized: bool = False
    """An Authorization header came with it."""
    range: str = ""
    if_range: str = ""
    tag_concurrency: int = 0
    """Downloads of this tag that ran when it began, itself included."""
    account_concurrency: int = 0

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `Log.as_json` wrote."""
        return cls(**{field.name: values[field.name] for field in fields(cls)})

    @property
    def is_download(self) -> bool:
        """Media was asked for, whatever the answer."""
        return self.kind == "media" and self.method == "GET"


class Log:
    """Every request since the start."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._running: set[int] = set()

    def begin(self, method: str, path: str, start: float, *, origin: Literal["api", "media"]) -> Entry:
        """Note a request that has just been read."""
        entry = Entry(len(self.entries), method, path, start, origin=origin)
        self.entries.append(entry)
        return entry

    def begin_download(self, entry: Entry, account_sid: str, recording_sid: str, tag: str) -> None:
        """Note whose media is asked for."""
        entry.kind = "media"
        entry.account_sid, entry.recording_sid, entry.tag = account_sid, recording_sid, tag
        if entry.is_download:
            self._running.add(entry.number)
            running = [self.entries[number] for number in self._running]
            entry.tag_concurrency = sum(other.tag == tag for other in running)
            entry.account_concurrency = sum(other.account_sid == account_sid for other in running)

    def end(self, entry: Entry, at: float) -> None:
        """Note that a request is over."""
        entry.end = at
        self._running.discard(entry.number)

    def as_json(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the entries from number *since* on as plain values."""
        return [asdict(entry) for entry in self.entries[since:]]


def highest_concurrency(
    entries: Iterable[Entry], by: Group, *, idle_after_s: float = FOREVER, broken_s: float = 0.0
) -> dict[str, int]:
    """Return the most downloads that ran at once, by tag, account or recording.

    A download that has sent nothing for *idle_after_s* when it ends is counted only up to there: the connection
    of a frozen process stays open for as long as it is frozen, and nobody can close it. One that was broken off
    counts *broken_s* less: so much later, at most, the provider may learn that nobody reads any more.
    """
    moments: list[tuple[float, int, str]] = []
    for entry in entries:
        if not entry.is_download:
            continue
        end = FOREVER if entry.end is None else entry.end
        if not entry.whole:
            end = max(entry.start, end - broken_s)
        end = min(end, (entry.start if entry.last_sent is None else entry.last_sent) + idle_after_s)
        moments += [(entry.start, 1, getattr(entry, by)), (end, -1, getattr(entry, by))]
    running: Counter[str] = Counter()
    highest: dict[str, int] = {}
    for _, change, name in sorted(moments):  # at the same moment an end comes before a start
        running[name] += change
        highest[name] = max(highest.get(name, 0), running[name])
    return highest


def whole_downloads(entries: Iterable[Entry]) -> dict[str, int]:
    """Return how often each recording was sent to its last byte. A resumed download counts once."""
    return dict(Counter(entry.recording_sid for entry in entries if entry.is_download and entry.whole))


def downloads(entries: Iterable[Entry]) -> dict[str, int]:
    """Return how often each recording's media was asked for at the first origin, whatever the answer."""
    return dict(Counter(entry.recording_sid for entry in entries if entry.is_download and entry.origin == "api"))


def bytes_sent(entries: Iterable[Entry], by: Group) -> dict[str, int]:
    """Return the bytes of media that were sent."""
    sent: Counter[str] = Counter()
    for entry in entries:
        if entry.is_download:
            sent[getattr(entry, by)] += entry.sent
    return dict(sent)
