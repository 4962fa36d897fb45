"""``python -m chaos.fuzz [--seconds S] [--seed N] [parser …]``: bytes by the million for our own parsers (atheris).

Each parser has a process of its own, since a fuzzer never gives its own back. It exits 1 where a parser failed; what
it was given then is printed, and goes into `chaos.parsers.SEEDS` with the mending.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from chaos.parsers import PARSERS, SEEDS

_MOST_BYTES = 4096
_ONE_TIME_S = 5
"""Longer than this for 4 kB is a hang."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the named parsers, or all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m chaos.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each parser")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers")
    parser.add_argument("parser", nargs="*", help=f"all, if none is named: {', '.join(PARSERS)}")
    given = parser.parse_args(arguments)
    if unknown := set(given.parser) - set(PARSERS):
        parser.error(f"no such parser: {', '.join(sorted(unknown))}")
    failed = []
    for name in given.parser or PARSERS:
        done = fuzz(name, given.seconds, given.seed)
        print(f"{name}: {'failed' if done.returncode else 'held'}", flush=True)
        if done.returncode:
            failed.append(name)
            print((done.stdout + done.stderr)[-4000:], flush=True)
    return 1 if failed else 0


def fuzz(name: str, seconds: int, seed: int) -> subprocess.CompletedProcess[str]:
    """Fuzz one parser, or ``every``, for a time and return what its process said."""
    with tempfile.TemporaryDirectory(prefix="callspool-fuzz-") as folder:
        for number, example in enumerate(SEEDS[name]):
            (Path(folder) / str(number)).write_bytes(example)
        return subprocess.run(
            [
                *(sys.executable, "-m", "chaos.fuzz_one", name, folder, f"-artifact_prefix={folder}/"),
                *(f"-seed={seed}", f"-max_total_time={seconds}", f"-max_len={_MOST_BYTES}"),
                *(f"-timeout={_ONE_TIME_S}", "-rss_limit_mb=1024"),
            ],
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds + 120,
        )


if __name__ == "__main__":
    sys.exit(main())
