"""That docs/reliability.md names tests that exist."""

import ast
import re
from pathlib import Path

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
