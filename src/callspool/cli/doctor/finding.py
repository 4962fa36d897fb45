"""What a check found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: ``ok``, ``warning`` or ``error``, what was seen, and what to do."""

    check: str
    level: Literal["ok", "warning", "error"]
    seen: str
    do: str = ""
