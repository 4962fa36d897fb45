"""The command line. Each command in a file of its name; errors are one clear line, never a traceback."""

import sys

from callspool.cli.app import app
from callspool.cli.console import explain
from callspool.domain.errors import CallspoolError


def main() -> None:
    """Run the command line and exit."""
    try:
        app()
    except CallspoolError as error:
        explain(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
