"""What the two engines have in common: an operation runs in a transaction, and what goes wrong is named.

An operation is a function of a SQLAlchemy connection. It is written once and runs on either engine.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError, StatementError

from callspool.domain.errors import CallspoolError, InvalidInput, StoreUnavailable
from callspool.domain.ids import TenantId

T = TypeVar("T")
Operation = Callable[[Connection], T]

_DATA: Final = "22"
"""PostgreSQL's class of errors in what was given."""


class Database(Protocol):
    """One engine. Raises the domain's errors only, and what an operation raises itself."""

    async def read(self, operation: Operation[T], *, tenant: TenantId | None = None) -> T:
        """Run it where it cannot write; where the engine can, so that it sees no row but *tenant*'s."""
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
    cause = driver_error(error)
    said = f"{type(cause).__name__}: {cause}"
    named: Exception
    match error:
        case CallspoolError():
            return error
        case IntegrityError() | ProgrammingError():
            named = CallspoolError(f"The database refused a statement of callspool; please report it ({said}).")
        case StatementError() if isinstance(cause, ValueError) or sqlstate(error).startswith(_DATA):
            named = InvalidInput("value", f"The database cannot hold a value that was given ({said}).")
        case OverflowError():
            named = InvalidInput("value", "A number that was given is too large for the database.")
        case SQLAlchemyError() | sqlite3.Error() | OSError():
            named = StoreUnavailable(f"The database does not answer ({said}). Ask again later.")
        case _:
            return error
    named.__cause__ = error
    return named


def driver_error(error: Exception) -> BaseException:
    """Return what the driver itself raised, below SQLAlchemy's wrapping."""
    if isinstance(error, StatementError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def sqlstate(error: Exception) -> str:
    """Return PostgreSQL's code of an error, or an empty string."""
    return getattr(driver_error(error), "sqlstate", None) or ""
