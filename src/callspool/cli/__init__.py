"""The command line. Each command in a file of its name; errors are one clear line, never a traceback."""

import sys

from callspool.cli.app import app
from callspool.cli.console import explain
from callspool.domain.errors import CallspoolError


def main() -> None:
    """Run the command line and exit."""
    try:
        app()
    except* CallspoolError as group:  # one of several tasks failed; the first tells enough
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, CallspoolError):
            explain(error)
        sys.exit(1)
    except* KeyboardInterrupt:
        sys.exit(130)
