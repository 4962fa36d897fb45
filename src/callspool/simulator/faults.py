"""What can go wrong, as values: written as short strings such as ``429:3:2``, for one recording or by rate.

Media faults (fields in brackets may be left out, from the right):

    404:SECONDS               not found for the first seconds of the recording's life (left out: for ever)
    401[:TIMES]  403[:TIMES]  410[:TIMES]
    429[:RETRY_AFTER[:TIMES]] RETRY_AFTER is seconds (3), an HTTP date so far ahead (date3), or none at all (-)
    500[:TIMES[:RETRY_AFTER]] or any other 5xx
    reset[:AT[:TIMES]]        the connection breaks (RST) after this part of the body, 0 to 1
    stall[:AT[:TIMES]]        nothing more comes after this part of the body
    short[:AT[:TIMES]]        ends after this part; Content-Length told the truth
    truncated[:AT[:TIMES]]    ends after this part, politely and without Content-Length
    wrong-length[:BYTES[:TIMES]]  Content-Length is wrong by so much (-1000); all of the body is sent
    altered[:AT[:TIMES]]      one byte is another, at this part of the body
    garbage[:TIMES]           random bytes that are called audio
    html[:TIMES]  json[:TIMES]  an error page with status 200
    endless[:TIMES]           a body that never ends
    redirect[:TO]             to a second origin; or `loop`; or any address
    drip:RATE                 so many bytes a second
    latency:SECONDS           until the first byte
    no-range                  Range is ignored
    weak-etag                 the entity tag promises nothing

TIMES may be `always`. Without TIMES, 429, 5xx, reset and stall happen once and then all is well; the others always.
The last three go along with any other fault, and so does drip; of the rest, the first one that is not yet
used up happens.

Callback faults: ``duplicate[:COPIES]``, ``lost``, ``reordered``, ``late:SECONDS``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final, Generic, Self, TypeVar


class FaultKind(StrEnum):
    """What a download can meet."""

    STATUS = "status"
    NOT_YET = "404"
    RESET = "reset"
    STALL = "stall"
    SHORT = "short"
    TRUNCATED = "truncated"
    WRONG_LENGTH = "wrong-length"
    ALTERED = "altered"
    GARBAGE = "garbage"
    HTML = "html"
    JSON = "json"
    ENDLESS = "endless"
    REDIRECT = "redirect"
    DRIP = "drip"
    LATENCY = "latency"
    NO_RANGE = "no-range"
    WEAK_ETAG = "weak-etag"


ALONGSIDE: Final = frozenset({FaultKind.DRIP, FaultKind.LATENCY, FaultKind.NO_RANGE, FaultKind.WEAK_ETAG})
"""Kinds that change how something is sent, whatever is sent."""

_ONCE: Final = frozenset({FaultKind.RESET, FaultKind.STALL})
_FIELDS: Final[Mapping[FaultKind, tuple[str, ...]]] = {
    FaultKind.NOT_YET: ("seconds",),
    FaultKind.RESET: ("at", "times"),
    FaultKind.STALL: ("at", "times"),
    FaultKind.SHORT: ("at", "times"),
    FaultKind.TRUNCATED: ("at", "times"),
    FaultKind.WRONG_LENGTH: ("delta", "times"),
    FaultKind.ALTERED: ("at", "times"),
    FaultKind.GARBAGE: ("times",),
    FaultKind.HTML: ("times",),
    FaultKind.JSON: ("times",),
    FaultKind.ENDLESS: ("times",),
    FaultKind.REDIRECT: ("to",),
    FaultKind.DRIP: ("rate",),
    FaultKind.LATENCY: ("seconds",),
    FaultKind.NO_RANGE: (),
    FaultKind.WEAK_ETAG: (),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one recording's media. Fields that its kind does not name mean nothing to it."""

    kind: FaultKind
    status: int = 0
    times: int | None = None
    """How often it happens; None: always."""
    retry_after: str = "-"
    """``3`` (seconds), ``date3`` (an HTTP date so far ahead), or ``-`` (no header)."""
    at: float = 0.5
    """The part of the body that is sent first."""
    seconds: float = float("inf")
    rate: float = 0.0
    """Bytes a second."""
    delta: int = -1000
    to: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``429:3:2`` and the like. Raises `ValueError`, saying what is wrong."""
        name, _, rest = text.partition(":")
        given: dict[str, object]
        if name.isdigit() and name != FaultKind.NOT_YET:
            status = int(name)
            if status not in (401, 403, 410, 429) and not 500 <= status <= 599:
                raise ValueError(
                    f"fault {text!r}: there is none for status {name}; 401, 403, 404, 410, 429 and 5xx are"
                )
            fields = _status_fields(status)
            given = {"kind": FaultKind.STATUS, "status": status, "times": 1 if status >= 429 else None}
        else:
            try:
                kind = FaultKind(name)
                fields = _FIELDS[kind]
            except (ValueError, KeyError):
                known = ", ".join(kind.value for kind in _FIELDS)
                raise ValueError(f"fault {text!r}: no kind {name!r}; there are a status, {known}") from None
            given = {"kind": kind, "times": 1 if kind in _ONCE else None}
        values = [] if not rest else [rest] if fields == ("to",) else rest.split(":")
        if len(values) > len(fields):
            raise ValueError(f"fault {text!r}: {name} takes at most {len(fields)} values ({', '.join(fields)})")
        try:
            given.update((field, _READ[field](value)) for field, value in zip(fields, values, strict=False))
        except ValueError as error:
            raise ValueError(f"fault {text!r}: {error}") from None
        fault = cls(**given)  # type: ignore[arg-type]
        if fault.kind is FaultKind.DRIP and fault.rate <= 0:
            raise ValueError(f"fault {text!r}: drip needs a rate above 0, such as drip:2000")
        if fault.kind is FaultKind.LATENCY and fault.seconds == float("inf"):
            raise ValueError(f"fault {text!r}: latency needs seconds, such as latency:0.5")
        return fault

    def __str__(self) -> str:
        """Return what `parse` reads, every field written out."""
        is_status = self.kind is FaultKind.STATUS
        fields = _status_fields(self.status) if is_status else _FIELDS[self.kind]
        name = str(self.status) if is_status else self.kind.value
        return ":".join([name, *(_write(getattr(self, field)) for field in fields)]).rstrip(":")


def _status_fields(status: int) -> tuple[str, ...]:
    return ("retry_after", "times") if status == 429 else ("times", "retry_after")


def _write(value: float | str | None) -> str:
    return "always" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _retry_after(text: str) -> str:
    if text == "-" or text.removeprefix("date").isdigit():
        return text
    raise ValueError(f"a Retry-After is seconds, such as 3, or date3, or - for none; not {text!r}")


def _part(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(f"a part of the body is 0 to 1, not {text}")
    return value


def _times(text: str) -> int | None:
    return None if text == "always" else _count(text)


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(f"a number of times is 0 or more, not {text}")
    return value


def _amount(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise ValueError(f"seconds or a rate are 0 or more, not {text}")
    return value


_READ: Final[Mapping[str, Callable[[str], object]]] = {
    "times": _times,
    "retry_after": _retry_after,
    "at": _part,
    "seconds": _amount,
    "rate": _amount,
    "delta": int,
    "to": str,
}


class CallbackFaultKind(StrEnum):
    """What a callback can meet."""

    DUPLICATE = "duplicate"
    LOST = "lost"
    REORDERED = "reordered"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class CallbackFault:
    """One fault of one recording's callbacks."""

    kind: CallbackFaultKind
    copies: int = 2
    seconds: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``late:2`` and the like. Raises `ValueError`."""
        name, _, value = text.partition(":")
        try:
            match CallbackFaultKind(name):
                case CallbackFaultKind.DUPLICATE:
                    return cls(CallbackFaultKind.DUPLICATE, copies=_count(value or "2"))
                case CallbackFaultKind.LATE:
                    return cls(CallbackFaultKind.LATE, seconds=_amount(value or "1"))
                case kind if not value:
                    return cls(kind)
        except ValueError as error:
            raise ValueError(f"callback fault {text!r}: {error}") from None
        raise ValueError(f"callback fault {text!r}: {name} takes no value")

    def __str__(self) -> str:
        """Return what `parse` reads."""
        value = {CallbackFaultKind.DUPLICATE: f":{self.copies}", CallbackFaultKind.LATE: f":{self.seconds:g}"}
        return self.kind.value + value.get(self.kind, "")


F = TypeVar("F", Fault, CallbackFault)


class Mix(Generic[F]):
    """Faults by rate: each recording meets at most one of them, drawn from the simulator's seed."""

    def __init__(self, rates: Mapping[F, float]) -> None:
        if sum(rates.values()) > 1 or any(rate < 0 for rate in rates.values()):
            raise ValueError("the rates of faults must be 0 to 1, and 1 at most together")
        self._rates: dict[F, float] = dict(rates)

    def draw(self, random: Random) -> tuple[F, ...]:
        """Return one fault, or none."""
        point = random.random()
        for fault, rate in self._rates.items():
            point -= rate
            if point < 0:
                return (fault,)
        return ()
