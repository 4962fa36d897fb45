"""Our own parsers under a fuzzer for a few seconds. `make fuzz` goes on for longer."""

import platform
import sys
from importlib.util import find_spec

import pytest
from chaos.parsers import EVERY, PARSERS, SEEDS

from tests.fixtures.missing import missing


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_reads_what_is_like_the_real_thing_and_each_part_of_it(name: str) -> None:
    for seed in SEEDS[name]:
        for end in range(len(seed) + 1):
            PARSERS[name](seed[:end])


def test_no_bytes_make_a_parser_fail_or_hang() -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("atheris has wheels for Linux on x86-64 only")
    if find_spec("atheris") is None:
        missing("atheris is not installed")
    from chaos.fuzz import fuzz

    done = fuzz(EVERY, seconds=5, seed=1)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
