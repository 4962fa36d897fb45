"""The rules' own plugin: a whole run must show S1 to S10; and that docs/rules.md names tests that exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.fixtures.rules import REQUIRED

pytest_plugins = ["pytester"]

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "rules.md"
SETTINGS = """
[pytest]
testpaths = tests
markers = rule(name): a rule
addopts = -p tests.fixtures.rules
"""
ALL = "\n".join(f"@pytest.mark.rule('{rule}')\ndef test_{rule}(): pass" for rule in REQUIRED[:-1])
LAST = "@pytest.mark.rule('S10', 'F1')\ndef test_last(): assert {}"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a test for each of S1 to S9."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS.parent))
    pytester.makeini(SETTINGS)
    pytester.mkdir("tests").joinpath("test_all.py").write_text(f"import pytest\n{ALL}")
    return pytester


def last(project: pytest.Pytester, passes: bool) -> None:
    """Add a test of S10."""
    (project.path / "tests" / "test_last.py").write_text(f"import pytest\n{LAST.format(passes)}")


def test_whole_run_without_a_test_of_a_rule_fails_and_names_it(project: pytest.Pytester) -> None:
    ran = project.runpytest_inprocess()
    ran.assert_outcomes(passed=9)
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.stdout.fnmatch_lines(["S9   test_all.py::test_S9", "S10  NO PASSING TEST"])


def test_test_that_fails_or_is_skipped_shows_no_rule(project: pytest.Pytester) -> None:
    last(project, False)
    ran = project.runpytest_inprocess()
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.stdout.fnmatch_lines(["S10  NO PASSING TEST"])
    (project.path / "tests" / "test_last.py").write_text(
        "import pytest\n@pytest.mark.rule('S10')\n@pytest.mark.skip\ndef test_last(): pass"
    )
    assert project.runpytest_inprocess().ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("args", [["-p", "no:cacheprovider"], ["-n", "2"]])
def test_whole_run_that_shows_all_rules_passes(project: pytest.Pytester, args: list[str]) -> None:
    last(project, True)
    ran = project.runpytest_subprocess(*args)
    ran.assert_outcomes(passed=10)
    assert ran.ret == pytest.ExitCode.OK
    ran.stdout.fnmatch_lines(["S10  test_last.py::test_last"])


@pytest.mark.parametrize("args", [["tests/test_all.py"], ["-k", "S1"], ["--lf"]])
def test_part_of_the_tests_need_not_show_all(project: pytest.Pytester, args: list[str]) -> None:
    assert project.runpytest_inprocess(*args).ret == pytest.ExitCode.OK


def test_rule_that_there_is_not_is_refused(project: pytest.Pytester) -> None:
    (project.path / "tests" / "test_last.py").write_text(
        "import pytest\n@pytest.mark.rule('S11')\ndef test_last(): pass"
    )
    ran = project.runpytest_inprocess()
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines(["*there is no rule 'S11'*"])


def test_page_names_tests_that_exist_and_carry_their_rule() -> None:
    """Each row names a rule and tests; a test must bear that rule's mark."""
    wrong = []
    for line in PAGE.read_text().splitlines():
        row = re.match(r"\| ([SF]\d+) \|", line)
        if row is None:
            continue
        named = re.findall(r"`([a-z_]+/test_[a-z0-9_]+\.py)::(test_\w+)`", line)
        assert named, line
        wrong += [f"{row[1]}: {path}::{name}" for path, name in named if row[1] not in rules_of(path, name)]
    assert wrong == []


def rules_of(path: str, name: str) -> set[str]:
    """Return the rules that a test's decorators name; none where there is no such test."""
    file = TESTS / path
    for node in ast.walk(ast.parse(file.read_text() if file.exists() else "")):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            calls = [one for one in node.decorator_list if isinstance(one, ast.Call)]
            marks = [one for one in calls if isinstance(one.func, ast.Attribute) and one.func.attr == "rule"]
            return {str(arg.value) for mark in marks for arg in mark.args if isinstance(arg, ast.Constant)}
    return set()
