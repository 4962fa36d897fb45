"""An exhaustive search over everything that can happen in a small model, in a fixed order, shortest ways first."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Move(Generic[S]):
    """Something that can happen now: its name, where it leads, and what is wrong with it ('' if nothing)."""

    name: str
    state: S
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search came to."""

    states: int
    """How many different states were seen."""
    wrong: str
    """What must not happen and did; '' if nothing."""
    way: tuple[str, ...]
    """The shortest way to it."""

    def __str__(self) -> str:
        steps = "\n".join(f"  {number}. {name}" for number, name in enumerate(self.way, 1))
        return f"{self.wrong or 'nothing wrong'} ({self.states} states)\n{steps}"


def search(start: S, moves: Callable[[S], Iterable[Move[S]]], *, most_states: int = 2_000_000) -> Searched:
    """Go every way from *start*; stop at the first move that is wrong.

    Raises `OverflowError` where the model has more states than *most_states*: then nothing is proven.
    """
    came_from: dict[S, tuple[S, str] | None] = {start: None}
    ahead = deque([start])
    while ahead:
        state = ahead.popleft()
        for move in moves(state):
            if move.wrong:
                return Searched(len(came_from), move.wrong, (*_way(came_from, state), move.name))
            if move.state not in came_from:
                came_from[move.state] = (state, move.name)
                ahead.append(move.state)
        if len(came_from) > most_states:
            raise OverflowError(f"more than {most_states} states: make the model smaller")
    return Searched(len(came_from), "", ())


def _way(came_from: dict[S, tuple[S, str] | None], state: S) -> tuple[str, ...]:
    names: list[str] = []
    step = came_from[state]
    while step is not None:
        state, name = step
        names.append(name)
        step = came_from[state]
    return tuple(reversed(names))
