"""The command line. Each command in a file of its name; errors are one clear line, never a traceback."""

import sys
from collections.abc import Iterator

from callspool.cli.app import app
from callspool.cli.console import explain, explain_unexpected
from callspool.domain.errors import CallspoolError


def main() -> None:
    """Run the command line and exit."""
    given: dict[str, bool] = {}
    try:
        app(obj=given)
    except BaseException as raised:
        causes = list(_leaves(raised))
        if any(isinstance(one, SystemExit) for one in causes):
            raise
        if any(isinstance(one, KeyboardInterrupt) for one in causes):
            sys.exit(130)
        ours = [one for one in causes if isinstance(one, CallspoolError)]
        if ours:  # one of several tasks failed; the first tells enough
            explain(ours[0])
        else:
            explain_unexpected(raised, debug=given.get("debug", False))
        sys.exit(1)


def _leaves(raised: BaseException) -> Iterator[BaseException]:
    """Yield what tasks raised, out of the groups that hold it."""
    if isinstance(raised, BaseExceptionGroup):
        for one in raised.exceptions:
            yield from _leaves(one)
    else:
        yield raised
