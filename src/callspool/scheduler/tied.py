"""Becomes another program that ends when the process ends that started it: run as a script, on Linux.

    python tied.py PARENT PROGRAM ARGUMENT…

The kernel is asked here, not between the fork and the exec of a parent that has threads: Python that runs there can
wait for ever for a lock which another of them had.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the program."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):  # it died before the line above
        raise SystemExit(1)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 -- it is what our parent would have started


if __name__ == "__main__":
    main()
