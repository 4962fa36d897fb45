"""What a seed does: the parts it runs on, the calls, what people do, and what goes wrong. Pure: a seed replays."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

TENANTS: Final[Mapping[str, int]] = {"alpha": 3, "bravo": 2, "carol": 2, "delta": 2}
"""Tenant to slots at the start."""
ALONE: Final = "delta"
"""The tenant that has an account for itself: what no callback told of it is found by listing."""
ACCOUNT_LIMIT: Final = 6
WORKERS: Final = 3
LEASE_S: Final = 2.0

CALLS_A_SECOND: Final = 3.0
DEEDS_A_SECOND: Final = 3.0
"""What people do."""
BLOWS_A_SECOND: Final = 0.5
"""What goes wrong."""

_FAULTY: Final = 0.3
_FAULTS: Final = (
    *("404:1", "429:1:1", "503:1", "reset", "stall", "redirect"),
    *("short:0.5:1", "truncated:0.5:1", "wrong-length:-1000:1", "html:1", "garbage:1", "410"),
)
_CALLBACK_FAULTS: Final = ("duplicate", "reordered", "late:1", "lost")
_LOST: Final = 0.4
"""Of the callbacks of the tenant that is alone."""
_BYTES_A_SECOND: Final = 32_000  # of a call in two channels

Deed = Literal["play", "fetch", "cancel", "retry", "limit", "peek"]
Blow = Literal["kill", "term", "stop", "cut", "flush", "forget", "crash", "fill"]
_DEEDS: Final[tuple[Deed, ...]] = ("play", "play", "fetch", "cancel", "retry", "limit", "peek", "peek")
_BLOWS: Final[tuple[Blow, ...]] = (
    "kill",
    "kill",
    "term",
    "stop",
    "stop",
    "cut",
    "cut",
    "flush",
    "forget",
    "crash",
    "fill",
)
CUTS: Final = ("drop", "delay", "reset", "half-close")
_CUT_PARTS: Final = ("valkey", "valkey", "store", "vault")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the provider records."""

    at_s: float
    tenant: str
    duration_s: float
    seed: int
    rate: float | None
    """Bytes a second of its download."""
    faults: tuple[str, ...] = ()
    callback_faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a person or the nemesis does."""

    at_s: float
    action: Deed | Blow
    target: int
    """Of a person: which of the calls so far, counted from the last. Of the nemesis: which process."""
    part: str = ""
    """What is cut off, and how; the tenant whose limit changes."""
    value: int = 0
    for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """All that happens in one run."""

    seed: int
    seconds: float
    database: Literal["sqlite", "postgresql"]
    vault: Literal["disk", "s3"]
    calls: tuple[Call, ...]
    deeds: tuple[Step, ...]
    blows: tuple[Step, ...]

    @property
    def actions(self) -> int:
        """How much happens."""
        return len(self.calls) + len(self.deeds) + len(self.blows)


def plan(seed: int, seconds: float) -> Plan:
    """Return what *seed* does in so many seconds."""
    random = Random(seed)
    return Plan(
        seed=seed,
        seconds=seconds,
        # Four seeds in a row see each pair once.
        database="postgresql" if seed % 2 else "sqlite",
        vault="s3" if seed // 2 % 2 else "disk",
        calls=tuple(_call(random, at) for at in _times(random, seconds, CALLS_A_SECOND)),
        deeds=tuple(_deed(random, at) for at in _times(random, seconds, DEEDS_A_SECOND)),
        blows=tuple(_blow(random, at) for at in _times(random, seconds, BLOWS_A_SECOND)),
    )


def _times(random: Random, seconds: float, a_second: float) -> list[float]:
    return sorted(random.uniform(0, seconds) for _ in range(max(1, round(seconds * a_second))))


def _call(random: Random, at_s: float) -> Call:
    faulty, callback_faulty, slow = random.random() < _FAULTY, random.random() < _FAULTY / 2, random.random() < 0.4
    tenant = random.choice(list(TENANTS))
    if tenant == ALONE and random.random() < _LOST:
        callback_fault = "lost"
    else:
        callback_fault = random.choice(_CALLBACK_FAULTS) if callback_faulty else ""
    return Call(
        at_s=at_s,
        tenant=tenant,
        duration_s=round(random.uniform(1, 4), 1),
        seed=random.randrange(1 << 30),
        rate=random.uniform(0.5, 2) * _BYTES_A_SECOND if slow else None,
        faults=(random.choice(_FAULTS),) if faulty else (),
        callback_faults=(callback_fault,) if callback_fault else (),
    )


def _deed(random: Random, at_s: float) -> Step:
    action, target, value = random.choice(_DEEDS), random.randrange(12), random.randint(1, 4)
    return Step(at_s, action, target, part=random.choice(list(TENANTS)), value=value)


def _blow(random: Random, at_s: float) -> Step:
    action, target = random.choice(_BLOWS), random.randrange(WORKERS + 1)
    how = f"{random.choice(_CUT_PARTS)}:{random.choice(CUTS)}"
    return Step(at_s, action, target, part=how, for_s=round(random.uniform(0.3, 2.5 * LEASE_S), 2))
