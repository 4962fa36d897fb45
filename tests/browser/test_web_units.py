"""The page's parts without a browser: types, the client and the elements by Vitest, and the types' origin."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.node import run

RULES = {
    "client.test.ts": ("S8", "F10"),
    "course.test.ts": (),
    "feed.test.ts": ("S8", "F9", "F25"),
    "keys.test.ts": (),
    "one-stream.test.ts": ("S8",),
    "other-key.test.ts": ("S8",),
    "peaks.test.ts": (),
    "situation.test.ts": ("S8", "F25"),
    "told.test.ts": (),
    "track.test.ts": ("S8", "F9"),
    "words.test.ts": (),
}
FILES = sorted(path.name for path in (Path(__file__).parents[2] / "web" / "tests").glob("*.test.ts"))


@pytest.fixture(scope="session")
def results(web_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What went wrong in each of Vitest's files; all of them run in one go."""
    file = tmp_path_factory.mktemp("vitest") / "results.json"
    done = run(web_tools, "node_modules/vitest/vitest.mjs", "run", "--reporter=json", f"--outputFile={file}")
    assert file.is_file(), done.stdout + done.stderr
    return {Path(one["name"]).name: _wrong(one) for one in json.loads(file.read_text())["testResults"]}


def _wrong(result: dict[str, Any]) -> str:
    failed = [test for test in result["assertionResults"] if test["status"] == "failed"]
    said = [f"{test['fullName']}: {message}" for test in failed for message in test["failureMessages"]]
    return "\n".join(said or ([result["message"] or "failed"] if result["status"] != "passed" else []))


@pytest.mark.parametrize("file", [pytest.param(name, marks=pytest.mark.rule(*RULES.get(name, ()))) for name in FILES])
def test_the_pages_parts_do_what_they_promise(file: str, results: dict[str, str]) -> None:
    assert results.get(file, "it did not run") == ""


def test_the_pages_types_are_right(web_tools: Path) -> None:
    done = run(web_tools, "node_modules/typescript/bin/tsc", "--noEmit")
    assert done.returncode == 0, done.stdout


def test_the_pages_types_of_the_api_are_those_of_the_api(web_tools: Path, tmp_path: Path) -> None:
    schema = subprocess.run(
        [sys.executable, "-m", "callspool.api.openapi"], capture_output=True, text=True, check=True
    ).stdout
    file, types = tmp_path / "openapi.json", tmp_path / "schema.ts"
    file.write_text(schema)
    done = run(web_tools, "node_modules/openapi-typescript/bin/cli.js", file, "-o", types)
    assert done.returncode == 0, done.stderr
    committed = (web_tools / "src" / "api" / "schema.ts").read_text()
    assert types.read_text() == committed, "run 'npm run types' in web/ with callspool's environment active"


@pytest.mark.parametrize("folder", ["web", "tests/browser"])
def test_a_lock_names_no_registry_and_has_a_hash_for_every_package(folder: str) -> None:
    lock = json.loads((Path(__file__).parents[2] / folder / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if "integrity" not in package] == []
