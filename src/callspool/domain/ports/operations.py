"""What is done to many recordings at once, a bit at a time."""

from dataclasses import dataclass
from typing import Protocol

from callspool.domain.ids import TenantId
from callspool.domain.operation import FailedFilter, Operation
from callspool.domain.recording import Recording


@dataclass(frozen=True, slots=True)
class Worked:
    """A bit of an operation that was done."""

    operation: Operation
    queued: tuple[Recording, ...]
    """To be submitted."""


class OperationStore(Protocol):
    """Keeps operations and works them off."""

    async def matching(self, wanted: FailedFilter) -> int:
        """Return how many failed recordings match. The work does not grow with their number."""
        ...

    async def begin_retry(self, wanted: FailedFilter, *, owner: TenantId | None, actor: str) -> Operation:
        """Keep that all failed recordings that match now are to be retried. `work_off` does it."""
        ...

    async def operation(self, owner: TenantId | None, operation_id: str) -> Operation:
        """Return it or raise `NotFound`; None is the operator, for whom all exist."""
        ...

    async def work_off(self, *, most: int) -> Worked | None:
        """Retry the next recordings, *most* at most, of the oldest operation that runs, and count them in one commit.

        None: there is nothing to do, or another process is at it. Each recording is retried once by an operation,
        however often its process dies. What failed after it began is left alone.
        """
        ...
