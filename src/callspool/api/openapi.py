"""``python -m callspool.api.openapi``: prints the schema without any part running. The web UI's types come from it."""

import json
import sys

from callspool.api.app import shell


def main() -> None:
    """Print the schema."""
    sys.stdout.write(json.dumps(shell().openapi(), indent=2) + "\n")


if __name__ == "__main__":
    main()
