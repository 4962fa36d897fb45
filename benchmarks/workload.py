"""What the subjects are given to do. A workload is made from its name alone, the same in every process."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

SLOTS: Final = 3
FEW: Final = 10
"""A tenant with at most this many tasks is small."""


@dataclass(frozen=True, slots=True)
class Task:
    """One job: whose, and for how long it holds its slot."""

    number: int
    tenant: int
    service_s: float


@dataclass(frozen=True)
class Workload:
    """Tasks in the order in which they are put in, before any worker runs."""

    name: str
    tasks: tuple[Task, ...]
    slots: int = SLOTS
    seats: int = 32
    lease_s: float = 30.0
    limited: bool = True
    """False: the peers may leave their limits out. callspool never does."""

    @cached_property
    def tenants(self) -> int:
        """How many there are."""
        return 1 + max(task.tenant for task in self.tasks)

    @cached_property
    def has_work(self) -> bool:
        """Whether its tasks take any time."""
        return any(task.service_s for task in self.tasks)

    @cached_property
    def small(self) -> frozenset[int]:
        """The tenants with few tasks."""
        counts: dict[int, int] = {}
        for task in self.tasks:
            counts[task.tenant] = counts.get(task.tenant, 0) + 1
        return frozenset(tenant for tenant, count in counts.items() if count <= FEW)

    @cached_property
    def bound_s(self) -> float:
        """The shortest time that slots, seats and the longest task allow, whatever the order."""
        of_tenant: dict[int, float] = {}
        for task in self.tasks:
            of_tenant[task.tenant] = of_tenant.get(task.tenant, 0.0) + task.service_s
        whole = sum(of_tenant.values())
        longest = max(task.service_s for task in self.tasks)
        return max(whole / self.seats, longest, max(of_tenant.values()) / self.slots)


def _w1() -> Workload:
    """W1: 200 tasks of one tenant, then 10 of each of 19 others, 50 ms each."""
    tenants = [0] * 200 + [tenant for tenant in range(1, 20) for _ in range(10)]
    return Workload("w1", tuple(Task(number, tenant, 0.05) for number, tenant in enumerate(tenants)))


def _w1b() -> Workload:
    """W1b: log-normal services, tenants by Zipf's law, the large ones' tasks first, as a backfill's are."""
    chance = random.Random(20)
    shares = [1 / (rank + 1) ** 1.2 for rank in range(30)]
    counts = [max(1, round(400 * share / sum(shares))) for share in shares]
    tenants = [tenant for tenant, count in enumerate(counts) for _ in range(count)]
    services = [min(0.6, chance.lognormvariate(-3.2, 0.8)) for _ in tenants]
    tasks = tuple(Task(n, tenant, service) for n, (tenant, service) in enumerate(zip(tenants, services, strict=True)))
    return Workload("w1b", tasks)


def _w2() -> Workload:
    """W2: 5,000 tasks without work, over 1,000 tenants."""
    return Workload("w2", tuple(Task(n, n % 1000, 0.0) for n in range(5000)), seats=64, limited=False)


def _w2_limited() -> Workload:
    """The same, with every subject held to the tenants' slots."""
    return replace(_w2(), name="w2-limited", limited=True)


def _w3() -> Workload:
    """W3: 8 tasks that last longer than anyone watches, each of a tenant of its own: a slot that leaks delays none."""
    return Workload("w3", tuple(Task(n, n, 3600.0) for n in range(8)), lease_s=5.0, seats=8)


def _handoff() -> Workload:
    """Hand-off: 4 tenants keep their 3 slots busy; half of the seats stay free."""
    chance = random.Random(3)
    tasks = tuple(Task(n, n % 4, chance.uniform(0.04, 0.06)) for n in range(400))
    return Workload("handoff", tasks)


_MAKERS: Final[Mapping[str, Callable[[], Workload]]] = {
    "w1": _w1,
    "w1b": _w1b,
    "w2": _w2,
    "w2-limited": _w2_limited,
    "w3": _w3,
    "handoff": _handoff,
}


def workload(name: str, seats: int | None = None) -> Workload:
    """Return the workload of that name."""
    made = _MAKERS[name]()
    return replace(made, seats=seats) if seats else made
