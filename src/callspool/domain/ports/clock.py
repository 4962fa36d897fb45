"""The port of time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The only source of wall-clock time."""

    def now(self) -> datetime:
        """Return the current time, aware, UTC."""
        ...
