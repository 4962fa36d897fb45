"""The scheduler's Lua, as one library of functions for Valkey.

Its name has a hash of its text, so a server holds old and new code side by side: each process calls its own, and brings
it along where it is missing. What no process has used for a day is removed by whoever brings the next one.
"""

import functools
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import valkey

FAMILY: Final = "callspool_"
"""How the names of all our libraries begin."""

UNUSED_MS: Final = 24 * 60 * 60 * 1000
"""How long a library stays that nobody calls. One that is removed too early is brought again by its next caller."""


@dataclass(frozen=True, slots=True)
class Library:
    """A library: what it is called, and its text."""

    name: str
    code: str


@functools.cache
def library() -> Library:
    """Return what the operations share, then every operation."""
    folder = files("callspool.scheduler") / "lua"
    shared = sorted((folder / "shared").iterdir(), key=lambda entry: entry.name)
    operations = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".lua")), key=lambda entry: entry.name
    )
    parts = [entry.read_text(encoding="utf-8") for entry in shared]
    parts += [f"do\n{entry.read_text(encoding='utf-8')}\nend" for entry in operations]
    return named("\n".join(parts))


def named(text: str) -> Library:
    """Return the library of *text*, in which ``'NAME`` stands for its name."""
    name = FAMILY + hashlib.sha256(text.encode()).hexdigest()[:10]
    return Library(name, f"#!lua name={name}\n{text}".replace("'NAME", f"'{name}"))


def is_missing(error: valkey.ResponseError) -> bool:
    """Say whether Valkey lost (or never had) the functions."""
    return "function not found" in str(error).lower()


def names(listed: Any) -> set[str]:
    """Return the libraries in what FUNCTION LIST says: of one node, or of several by node."""
    if isinstance(listed, dict) and b"library_name" not in listed:
        return {name for answer in listed.values() for name in names(answer)}
    return {(one[b"library_name"] if isinstance(one, dict) else one[1]).decode() for one in listed}
