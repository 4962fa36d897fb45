"""What every part of the store has: the engine, and the way in which what is audited is done."""

from collections.abc import Callable
from typing import TypeVar

from callspool.domain.audit import Act, By
from callspool.domain.ports.clock import Clock
from callspool.store import audit, moves
from callspool.store.database import Database
from callspool.store.database import Operation as Work
from callspool.store.envelope import Envelope

T = TypeVar("T")


class SqlPart:
    """A part of the store over either engine. `SqlStore` joins them."""

    _database: Database
    _clock: Clock
    _envelope: Envelope

    async def _act(self, by: By, act: Act | Callable[[T], Act], work: Work[T]) -> T:
        """Do what is audited: the entry and the deed are one transaction."""
        return await self._database.write(audit.acting(work, act, by, self._clock.now(), self._envelope))

    def _step(self, actor: str, http_status: int | None = None) -> moves.Step:
        return moves.Step(actor, self._clock.now(), http_status)
