"""What the numbers were measured on, and how noisy it was meanwhile.

Others may use the machine too. Two measures say how much: a fixed loop's time around each run, and the processor
time that others took while it lasted. A bar that is missed on a noisy machine is neither held nor broken.
"""

import os
import platform
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_LOOP = 100_000
_TICKS = os.sysconf("SC_CLK_TCK")
_QUIET_SPREAD = 1.25
_QUIET_OTHERS = 0.15  # of a core


def commit() -> str:
    """Return the commit that is measured, with a mark where files differ from it."""
    root = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    try:
        name = git("rev-parse", "--short", "HEAD")
        return f"{name}+" if git("status", "--porcelain", "--untracked-files=no", "--", "../src") else name
    except OSError:  # there is no git here
        return ""


def machine() -> str:
    """Describe the machine in one line."""
    cores = f"{os.cpu_count()} cores"
    return f"{_processor()}, {cores}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def process_cpu(pid: int) -> float:
    """Return the processor seconds of a process and of its children, living or ended; 0 where it cannot be read."""
    total = 0.0
    for one in (pid, *descendants(pid)):
        try:
            fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(fields[at]) for at in (11, 12, 13, 14)) / _TICKS
    return total


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes that a process started, and those that they started."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    except OSError:
        return
    for child in map(int, listed):
        yield child
        yield from descendants(child)


@dataclass(slots=True)
class Noise:
    """What else went on while the runs of a figure lasted."""

    loops: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    @contextmanager
    def watched(self, servers: Sequence[int] = ()) -> Iterator[None]:
        """Watch one run. *servers* are processes of ours that were there before and stay."""
        self.loops.append(_usual_loop())
        busy, own, begun = _busy(), _own(servers), time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - begun
            if busy is not None and took > 0.5 and (now := _busy()) is not None:
                self.others.append(max(0.0, (now - busy - (_own(servers) - own)) / took))
            self.loops.append(_usual_loop())

    @property
    def spread(self) -> float:
        """How much longer the fixed loop took around the worst run than around the best."""
        return max(self.loops, default=1.0) / min(self.loops, default=1.0)

    @property
    def taken(self) -> float:
        """Cores that others took, in the worst run."""
        return max(self.others, default=0.0)

    @property
    def is_quiet(self) -> bool:
        """Whether the numbers say something of us alone."""
        return self.spread <= _QUIET_SPREAD and self.taken <= _QUIET_OTHERS

    @property
    def slowdown(self) -> float:
        """By how much the noise may have lengthened a run, generously."""
        cores = os.cpu_count() or 1
        return max(_QUIET_SPREAD, self.spread) / max(0.25, 1 - self.taken / cores)

    def __str__(self) -> str:
        load = os.getloadavg()[0]
        return f"fixed loop 1 to {self.spread:.2f}; others took up to {self.taken:.2f} cores; load {load:.1f}"


def _usual_loop() -> float:
    return sorted(_loop() for _ in range(5))[2]


def _loop() -> float:
    begun = time.perf_counter()
    total = 0
    for step in range(_LOOP):
        total += step
    return time.perf_counter() - begun


def _busy() -> float | None:
    """Return the processor seconds that all processes, and other machines on the same cores, have taken."""
    try:
        first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0].split()
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, first[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def _own(servers: Sequence[int]) -> float:
    whole = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in whole) + sum(map(process_cpu, servers))
