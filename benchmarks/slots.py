"""How near to the bounds does the scheduler drain its loads, beside the queues that others would pick?

W1: tenant 0 has 200 jobs, 19 tenants have 10 each, put in in that order; a job holds its slot for 50 ms; 3 slots a
tenant. The slots alone allow 200 x 0.05 / 3 = 3.33 s. With 32 seats fair shares allow 3.48 s: while all 20 tenants
are busy tenant 0 gets 1.6 of its 3 slots.
W1b: the same with log-normal services and tenants by Zipf's law.
W2: 5,000 jobs without work over 1,000 tenants.
W3: the worker is killed while it runs 8 jobs; another is there.
Hand-off: 4 tenants keep their slots busy while seats are free.
Refill: how fast the reconciler fills an empty Valkey.
Growth: what an operation and a queued job cost as tenants and jobs become many.
"""

from collections.abc import Callable, Sequence
from typing import Final

from benchmarks import measures, subject
from benchmarks.drains import Measure, Measured, drain
from benchmarks.experiment import Bar, Experiment, best_peer
from benchmarks.growth import GROWTH
from benchmarks.recovery import W3
from benchmarks.refill import REFILL
from benchmarks.result import OURS, Figure
from benchmarks.run import Laboratory, Observation
from benchmarks.workload import Workload, workload

_FAIR_BOUND_S: Final = 3.48
_PHYSICAL_BOUND_S: Final = 10 / 3
_QUICK: Final = ("pgqueuer",)
"""The best of the peers, by most figures: in a quick run the others are left out."""


def _makespan(seen: Observation, load: Workload) -> float:
    return measures.makespan_s(seen.events)


def _wait(percent: float) -> Measure:
    return lambda seen, load: measures.percentile(measures.waits_s(seen.events, load), percent)


def _cpu(seen: Observation, load: Workload) -> float:
    return measures.worker_cpu_s(seen.events) + seen.server_cpu_s


def _hand_off(percent: float) -> Measure:
    return lambda seen, load: 1000 * measures.percentile(measures.hand_offs_s(seen.events, load), percent)


def _below_every_peer(name: str, known: float | None, unit: str) -> Callable[[Sequence[Figure]], Bar | None]:
    """Return the bar "below the best peer's of this run"; where none ran, below what one was known to reach."""

    def bar(figures: Sequence[Figure]) -> Bar | None:
        best = best_peer(figures, name)
        if best is None or best.value is None:
            if known is None:
                return None
            return Bar(f"below the best peer's (no peer ran; {known:g} {unit} is known of pgqueuer)", known)
        return Bar(f"below the best peer's ({best.subject}: {best.value:.2f} {unit})", best.value)

    return bar


def _w1_bar(name: str, bound_s: float, which: str) -> Callable[[Sequence[Figure]], Bar]:
    def bar(figures: Sequence[Figure]) -> Bar:
        limit, best = 1.05 * bound_s, best_peer(figures, name)
        text = f"at most {limit:.2f} s (1.05 x the {which} bound, {bound_s:.2f} s)"
        if best is None or best.value is None:
            return Bar(text, limit)
        return Bar(f"{text}, and below every peer's (best: {best.subject}, {best.value:.2f} s)", min(limit, best.value))

    return bar


def _slots_bar(figures: Sequence[Figure]) -> Bar:
    return Bar("never more than the 3 slots of a tenant", 3)


def _figures(
    name: str, title: str, makespan: Measured, known_wait: float | None, known_cpu: float | None
) -> list[Measured]:
    return [
        makespan,
        Measured(
            f"{name}.small_wait",
            f"{title}: wait of small tenants, median",
            "s",
            _wait(50),
            _below_every_peer(f"{name}.small_wait", known_wait, "s"),
        ),
        Measured(f"{name}.small_wait_p95", f"{title}: wait of small tenants, 95 %", "s", _wait(95)),
        Measured(
            f"{name}.wasted_tries",
            f"{title}: wasted tries a job",
            "tries",
            lambda seen, load: measures.wasted_tries(seen.events, load),
        ),
        Measured(
            f"{name}.most_at_once",
            f"{title}: most jobs of one tenant at once",
            "jobs",
            lambda seen, load: measures.most_at_once(seen.events, load),
            _slots_bar,
        ),
        Measured(
            f"{name}.cpu",
            f"{title}: processor time, worker and server",
            "s",
            _cpu,
            _below_every_peer(f"{name}.cpu", known_cpu, "s"),
        ),
    ]


def _twice_the_best(name: str, known: float) -> Callable[[Sequence[Figure]], Bar]:
    def bar(figures: Sequence[Figure]) -> Bar:
        best = best_peer(figures, name, lowest=False)
        if best is None or best.value is None:
            return Bar(
                f"at least 2 x the best peer's (none ran; {known:,.0f} jobs/s are known)", 2 * known, upper=False
            )
        text = f"at least 2 x the best peer's ({best.subject}: {best.value:,.0f} jobs/s)"
        return Bar(text, 2 * best.value, upper=False)

    return bar


def _above_every_peer(name: str, known: float) -> Callable[[Sequence[Figure]], Bar]:
    def bar(figures: Sequence[Figure]) -> Bar:
        best = best_peer(figures, name, lowest=False)
        if best is None or best.value is None:
            return Bar(f"above every peer's (none ran; {known:,.0f} jobs/s are known of dramatiq)", known, upper=False)
        return Bar(f"above every peer's (best: {best.subject}, {best.value:,.0f} jobs/s)", best.value, upper=False)

    return bar


def _submits(seen: Observation, load: Workload) -> float:
    return len(load.tasks) / seen.submit_s


_W1: Final = drain(
    workload("w1"),
    _figures(
        "w1",
        "W1, 32 seats",
        Measured(
            "w1.makespan", "W1, 32 seats: makespan", "s", _makespan, _w1_bar("w1.makespan", _FAIR_BOUND_S, "fair")
        ),
        0.19,
        0.6,
    ),
    quick=_QUICK,
    quick_runs=2,
)
_W1_64: Final = drain(
    workload("w1", 64),
    [
        Measured(
            "w1-64.makespan",
            "W1, 64 seats: makespan",
            "s",
            _makespan,
            _w1_bar("w1-64.makespan", _PHYSICAL_BOUND_S, "physical"),
        )
    ],
    name="w1-64",
)
_W1B: Final = drain(
    workload("w1b"),
    _figures(
        "w1b",
        "W1b, 32 seats",
        Measured(
            "w1b.makespan",
            "W1b, 32 seats: makespan / bound",
            "x bound",
            lambda seen, load: measures.makespan_s(seen.events) / load.bound_s,
        ),
        None,
        None,
    ),
)
_W2: Final = drain(
    workload("w2"),
    [
        Measured(
            "w2.jobs",
            "W2: jobs without work, one worker process",
            "jobs/s",
            lambda seen, load: measures.rate(seen.events),
            _twice_the_best("w2.jobs", 7455),
        ),
        Measured(
            "w2.submits", "W2: submits, the fastest way", "jobs/s", _submits, _above_every_peer("w2.submits", 5027)
        ),
    ],
    quick=_QUICK,
    quick_runs=2,
)
_W2_LIMITED: Final = drain(
    workload("w2-limited"),
    [
        Measured(
            "w2-limited.jobs",
            "W2 with limits: jobs without work, one worker process",
            "jobs/s",
            lambda seen, load: measures.rate(seen.events),
            _twice_the_best("w2-limited.jobs", 7455),
        )
    ],
    quick=("taskiq",),
)
_W2_WIDE: Final = drain(
    workload("w2", 1000),
    [
        Measured(
            "w2-wide.jobs",
            "W2 with 1,000 seats: jobs without work, one worker process",
            "jobs/s",
            lambda seen, load: measures.rate(seen.events),
        )
    ],
    name="w2-wide",
    only=(OURS, *_QUICK),
)
"""For the one peer that gains by it. It has no bar: no worker with real work has that many seats."""
_W2_SINGLY: Final = drain(
    workload("w2"),
    [
        Measured(
            "w2-singly.submits",
            "W2: submits, one after the other",
            "jobs/s",
            _submits,
            _above_every_peer("w2-singly.submits", 5027),
        )
    ],
    name="w2-singly",
    quick=("saq",),
    run=Laboratory.submits_singly,
)
_HAND_OFF: Final = drain(
    workload("handoff"),
    [
        Measured(
            "handoff.p50",
            "hand-off of a slot: median",
            "ms",
            _hand_off(50),
            lambda figures: Bar("at most 2 ms with seats free", 2.0),
        ),
        Measured(
            "handoff.p99",
            "hand-off of a slot: 99 %",
            "ms",
            _hand_off(99),
            lambda figures: Bar("at most 10 ms with seats free", 10.0),
        ),
    ],
)

EXPERIMENTS: Final[tuple[Experiment, ...]] = (
    *(_W1, _W1_64, _W2, _HAND_OFF, W3, GROWTH),
    *(REFILL, _W2_SINGLY, _W2_LIMITED, _W1B, _W2_WIDE),
)
"""What matters most first: a quick run may end before the last."""
SUBJECTS: Final = tuple(subject.SUBJECTS)
