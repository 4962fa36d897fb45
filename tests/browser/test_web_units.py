"""The page's parts without a browser: types, the client and the elements by Vitest, and the types' origin."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.node import run

RULES = {
    "client.test.ts": ("S8", "F10"),
    "feed.test.ts": ("S8", "F9", "F25"),
    "playback.test.ts": ("S8", "F9"),
    "player.test.ts": ("S8", "F18"),
}
FILES = sorted(path.name for path in (Path(__file__).parents[2] / "web" / "tests").glob("*.test.ts"))


@pytest.mark.parametrize("file", [pytest.param(name, marks=pytest.mark.rule(*RULES.get(name, ()))) for name in FILES])
def test_the_pages_parts_do_what_they_promise(file: str, web_tools: Path) -> None:
    done = run(web_tools, "node_modules/vitest/vitest.mjs", "run", f"tests/{file}", env={"NO_COLOR": "1"})
    assert done.returncode == 0, done.stdout + done.stderr


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
