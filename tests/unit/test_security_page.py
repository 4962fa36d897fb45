"""That docs/security.md answers each threat with tests that exist, or says that it does not."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "security.md"
NAME = re.compile(r"`([a-z_]+/test_[a-z0-9_]+\.py)::(test_\w+)`")


def test_every_test_that_the_page_names_exists() -> None:
    named = set(NAME.findall(PAGE.read_text()))
    assert named
    there = {
        (path, node.name)
        for path in {path for path, _ in named}
        for node in ast.walk(ast.parse((TESTS / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert named - there == set()


def test_every_threat_has_a_test() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ") and "---" not in line]
    threats = {row[0].removeprefix("| "): row[2] for row in rows if row[0] != "| threat"}
    assert len(threats) >= 23  # as many as were thought of
    assert [threat for threat, tests in threats.items() if not NAME.search(tests)] == []
