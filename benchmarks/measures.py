"""What the events of a run say. Pure: the same events give the same numbers."""

import statistics
from collections.abc import Sequence

from benchmarks.journal import Event, Kind
from benchmarks.workload import Workload


def makespan_s(events: Sequence[Event]) -> float:
    """Return the time from the first task's start to the last one's end."""
    return max(e.at for e in events if e.kind is Kind.END) - min(e.at for e in events if e.kind is Kind.START)


def waits_s(events: Sequence[Event], load: Workload) -> list[float]:
    """Return how long each task of a small tenant waited after the first start of all, sorted."""
    starts = [e for e in events if e.kind is Kind.START]
    begun = min(e.at for e in starts)
    first: dict[int, float] = {}
    for event in starts:
        if load.tasks[event.task].tenant in load.small:
            first[event.task] = min(event.at, first.get(event.task, event.at))
    return sorted(at - begun for at in first.values())


def wasted_tries(events: Sequence[Event], load: Workload) -> float:
    """Return how often a task was taken in vain, on average."""
    return sum(e.kind is Kind.TRY for e in events) / len(load.tasks)


def most_at_once(events: Sequence[Event], load: Workload) -> int:
    """Return the most tasks of one tenant that ran at the same time."""
    running: dict[int, int] = {}
    most = 0
    for event in sorted(events, key=lambda e: (e.at, e.kind is not Kind.END)):
        tenant = load.tasks[event.task].tenant
        if event.kind is Kind.START:
            running[tenant] = running.get(tenant, 0) + 1
            most = max(most, running[tenant])
        elif event.kind is Kind.END:
            running[tenant] = running.get(tenant, 0) - 1
    return most


def worker_cpu_s(events: Sequence[Event]) -> float:
    """Return the processor seconds of all worker processes, each from its first event to its last."""
    of_process: dict[str, list[float]] = {}
    for event in events:
        of_process.setdefault(event.process, []).append(event.cpu)
    return sum(max(times) - min(times) for times in of_process.values())


def rate(events: Sequence[Event]) -> float:
    """Return how many tasks ended a second."""
    ends = sorted(e.at for e in events if e.kind is Kind.END)
    begun = min(e.at for e in events)
    return len(ends) / (ends[-1] - begun)


def hand_offs_s(events: Sequence[Event], load: Workload) -> list[float]:
    """Return the times from a task's end to the start of the one that got its slot, sorted.

    A tenant with all slots busy can start a task only where one ended: its ends and the starts after the
    first *slots* belong to each other in order.
    """
    found: list[float] = []
    for tenant in range(load.tenants):
        mine = [e for e in events if load.tasks[e.task].tenant == tenant]
        starts = sorted(e.at for e in mine if e.kind is Kind.START)[load.slots :]
        ends = sorted(e.at for e in mine if e.kind is Kind.END)
        found += [max(0.0, start - end) for start, end in zip(starts, ends, strict=False)]
    return sorted(found)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the value below which *percent* of the values lie."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)
