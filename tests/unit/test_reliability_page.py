"""That docs/reliability.md names tests that exist, and what seeded runs really do."""

import ast
import re
from pathlib import Path

from chaos.plan import plan

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reliability.md"


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`([a-z_]+/test_[a-z0-9_]+\.py)::(test_\w+)`", PAGE.read_text()))
    assert named
    missing = []
    for path in sorted({path for path, _ in named}):
        there = {
            node.name
            for node in ast.walk(ast.parse((TESTS / path).read_text()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        missing += [f"{path}::{name}" for file, name in named if file == path and name not in there]
    assert missing == []


def test_everything_that_seeded_runs_are_said_to_do_is_done() -> None:
    rows = [line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    named = {name for row in rows if len(row) == 6 for name in re.findall(r"`([^`]+)`", row[4])}
    assert named
    done = set()
    for one in (plan(seed, 60) for seed in range(1, 21)):
        done |= {fault for call in one.calls for fault in (*call.faults, *call.callback_faults)}
        done |= {f"cut {blow.part.split(':')[0]}" for blow in one.blows if blow.action == "cut"}
        done |= {blow.action for blow in one.blows}
    assert named - done == set()
