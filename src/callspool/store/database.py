"""What the two engines have in common: an operation runs in a transaction, and what goes wrong is named.

An operation is a function of a SQLAlchemy connection. It is written once and runs on either engine.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError

from callspool.domain.errors import CallspoolError, InvalidInput, StoreUnavailable

T = TypeVar("T")
Operation = Callable[[Connection], T]


class Database(Protocol):
    """One engine. Raises the domain's errors only, and what an operation raises itself."""

    async def read(self, operation: Operation[T]) -> T:
        """Run it where it cannot write."""
        ...

    async def write(self, operation: Operation[T]) -> T:
        """Run it in a transaction; return when that is durable. If it raises, it has changed nothing."""
        ...

    async def close(self) -> None:
        """Finish what is being written and let go."""
        ...


@contextmanager
def errors_named() -> Iterator[None]:
    """Let nothing of SQLAlchemy or a driver out of this block."""
    try:
        yield
    except Exception as error:
        raise translated(error)  # noqa: B904  # it names its cause itself


def translated(error: Exception) -> Exception:
    """Return the domain's error for one of SQLAlchemy, a driver or the network; others as they are.

    Statements and their parameters stay out of the message: they may hold credentials.
    """
    named: Exception
    match error:
        case CallspoolError():
            return error
        case DataError():
            named = InvalidInput("value", f"The database cannot hold a value that was given ({_said(error)}).")
        case IntegrityError() | ProgrammingError():
            named = CallspoolError(f"The database refused a statement of callspool; please report it ({_said(error)}).")
        case SQLAlchemyError() | sqlite3.Error() | OSError():
            named = StoreUnavailable(f"The database does not answer ({_said(error)}). Ask again later.")
        case _:
            return error
    named.__cause__ = error
    return named


def _said(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = "" if isinstance(cause, SQLAlchemyError) else str(cause)
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__
