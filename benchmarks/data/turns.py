"""callspool and its peers in turns: each run of the one stands beside one of the other, on the same machine's minute.

What is said of the two is the ratio of such pairs, so a busy minute that meets both changes it little.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.experiment import Bar, Context
from benchmarks.machine import Noise
from benchmarks.result import OURS, Figure, figure
from benchmarks.run import DidNotRun
from benchmarks.servers import Unavailable

NO_TIME = "no time was left for it in this quick run"


@dataclass(frozen=True, slots=True)
class Contender:
    """One who is measured."""

    name: str
    title: str
    run: Callable[[], Mapping[str, float]]
    """Measures once: a value a quantity. Raises `DidNotRun` or `Unavailable`."""
    missing: str = ""
    """Why it cannot be measured here, if so."""


@dataclass(slots=True)
class Turns:
    """What one's runs gave."""

    title: str
    values: dict[str, list[float]] = field(default_factory=dict)
    noise: Noise = field(default_factory=Noise)
    note: str = ""

    def of(self, quantity: str) -> list[float]:
        """Return the values of a quantity."""
        return self.values.get(quantity, [])


def in_turns(
    context: Context, what: str, contenders: Sequence[Contender], *, runs: int, needs_s: float, servers: Sequence[int]
) -> dict[str, Turns]:
    """Measure each so often, one after the other; *servers* are processes that were there before. By name."""
    wanted = context.options.subjects
    chosen = [one for one in contenders if not wanted or one.name in wanted]
    found = {one.name: Turns(one.title, note=one.missing) for one in chosen}
    for _ in range(runs):
        if context.left_s() < needs_s:
            break
        for one in chosen:
            turns = found[one.name]
            if turns.note:
                continue
            context.tell(f"{what}: {one.title}")
            try:
                with turns.noise.watched(servers):
                    measured = one.run()
            except (DidNotRun, Unavailable) as error:
                turns.note = f"did not run: {error}"
                continue
            for quantity, value in measured.items():
                turns.values.setdefault(quantity, []).append(value)
    for turns in found.values():
        if not turns.values and not turns.note:
            turns.note = NO_TIME
    return found


def shown(name: str, quantity: str, unit: str, turns: Mapping[str, Turns], bar: Bar | None = None) -> list[Figure]:
    """Return a quantity as each had it; callspool's is held to *bar*."""
    found = []
    for who, its in turns.items():
        values = its.of(quantity)
        if not values and not its.note:
            continue  # it has no such quantity
        one = replace(figure(name, its.title, values, unit, its.note), noise=str(its.noise))
        found.append(bar.judge(one, its.noise) if bar and who == OURS else one)
    return found


def ratio(name: str, quantity: str, turns: Mapping[str, Turns], peer: str, bar: Bar | None) -> list[Figure]:
    """Return callspool's quantity as a multiple of the peer's in the same turn; with a *bar*, whether it is enough."""
    ours, theirs = turns.get(OURS), turns.get(peer)
    if ours is None or theirs is None:
        return []
    pairs = [mine / its for mine, its in zip(ours.of(quantity), theirs.of(quantity), strict=False)]
    note = "" if pairs else theirs.note or ours.note
    one = replace(figure(name, OURS, pairs, "x", note), noise=str(ours.noise))
    return [bar.judge(one, ours.noise) if bar else one]
