"""What the workers did, task by task, in files that outlive a kill -9.

Each worker process writes into a mapped file of its own: no lock, no system call, about a microsecond an event.
The times are of the machine's monotonic clock, so those of several processes can be compared.
"""

import mmap
import os
import secrets
import struct
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Final

_RECORD: Final = struct.Struct("<iidd")  # kind: written last; task, processor seconds, time
_REST: Final = struct.Struct("<idd")
_ROOM: Final = 1 << 17
_BLOCK: Final = _RECORD.size * 512
_SUFFIX: Final = ".events"
_LOOK_EVERY_S: Final = 0.0005
"""To ask for the processor time is a system call: too much for every event."""


class Kind(IntEnum):
    """What can happen to a task in a worker."""

    START = 1
    END = 2
    TRY = 3
    """It was taken, found no slot and was put back."""
    DROP = 4
    """The subject gave it up."""


@dataclass(frozen=True, slots=True)
class Event:
    """One of them."""

    at: float
    kind: Kind
    task: int
    cpu: float
    """Processor seconds that the process had used by then, or up to half a millisecond before."""
    process: str


class Journal:
    """Where one worker process writes. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        path = folder / f"{os.getpid()}-{secrets.token_hex(3)}{_SUFFIX}"
        with path.open("xb+") as file:
            file.truncate(_RECORD.size * _ROOM)
            self._map = mmap.mmap(file.fileno(), 0)
        self._next = count()
        self._cpu, self._look_at = 0.0, 0.0

    def started(self, task: int) -> None:
        """Note that a task begins."""
        self._note(Kind.START, task)

    def ended(self, task: int) -> None:
        """Note that it ends."""
        self._note(Kind.END, task)

    def tried(self, task: int) -> None:
        """Note that it was taken in vain."""
        self._note(Kind.TRY, task)

    def dropped(self, task: int) -> None:
        """Note that it will never run."""
        self._note(Kind.DROP, task)

    def _note(self, kind: Kind, task: int) -> None:
        at, now = next(self._next) * _RECORD.size, time.monotonic()
        if now >= self._look_at:
            self._cpu, self._look_at = time.process_time(), now + _LOOK_EVERY_S
        _REST.pack_into(self._map, at + _RECORD.size - _REST.size, task, self._cpu, now)
        self._map[at] = kind


def journal(folder: str) -> Journal:
    """Return this process' journal in *folder*: for peers that run a function by its name."""
    return _journal(folder, os.getpid())


@lru_cache(maxsize=2)
def _journal(folder: str, _pid: int) -> Journal:
    return Journal(Path(folder))


class Reader:
    """Reads what the workers of one folder have written, while they write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, int] = {}
        self._counted: dict[Path, int] = {}
        self._counts: Counter[int] = Counter()
        self.events: list[Event] = []

    def read(self) -> int:
        """Take in what is new; return how much it is."""
        before = len(self.events)
        for path in self.folder.glob(f"*{_SUFFIX}"):
            at = self._read.get(path, 0)
            fresh = list(_records(path, at))
            self._read[path] = at + len(fresh) * _RECORD.size
            self.events += fresh
        return len(self.events) - before

    def writers(self) -> int:
        """Return how many processes have opened a journal."""
        return sum(1 for _ in self.folder.glob(f"*{_SUFFIX}"))

    def count(self, *kinds: Kind) -> int:
        """Return how many such events there are, without taking them in: who watches takes no time from who works."""
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with path.open("rb", buffering=0) as file:
                file.seek(self._counted.get(path, 0))
                while written := file.read(_BLOCK)[:: _RECORD.size].partition(b"\0")[0]:
                    self._counts.update(written)
                    self._counted[path] = self._counted.get(path, 0) + len(written) * _RECORD.size
                    file.seek(self._counted[path])
        return sum(self._counts[kind] for kind in kinds)

    def tasks(self, *kinds: Kind) -> frozenset[int]:
        """Return the tasks to which one of that happened."""
        self.read()
        return frozenset(event.task for event in self.events if event.kind in kinds)


def _records(path: Path, at: int) -> Iterator[Event]:
    with path.open("rb") as file:
        while block := os.pread(file.fileno(), _BLOCK, at):
            # Read once more: what had its kind in the first reading was whole before the second began.
            whole = os.pread(file.fileno(), len(block), at)
            for (kind, *_), (_, task, cpu, moment) in zip(
                _RECORD.iter_unpack(block), _RECORD.iter_unpack(whole), strict=True
            ):
                if not kind:
                    return
                yield Event(moment, Kind(kind), task, cpu, path.stem)
            at += len(block)
