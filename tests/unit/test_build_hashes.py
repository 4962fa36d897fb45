"""What builds the wheel is what was looked at: uv, with this project's own settings, runs no other build tool.

Packages are forged under the names and versions that are pinned. Their code says that it ran, where it is let.
"""

import base64
import hashlib
import re
import subprocess
import tomllib
import zipfile
from pathlib import Path
from typing import Final

import pytest

from tests.fixtures.missing import missing

ROOT: Final = Path(__file__).parents[2]
UV: Final = ROOT / ".venv" / "bin" / "uv"
RAN: Final = "the forged build tool ran"
_FORGED_CODE: Final = f"""
def get_requires_for_build_wheel(config_settings=None):
    raise SystemExit("{RAN}")

build_wheel = get_requires_for_build_wheel
"""


def pinned() -> dict[str, str]:
    """Return the versions of all that may take part in building."""
    uv = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]
    return dict(one["requirement"].split("==") for one in uv["build-constraint-dependencies"])


def forge(folder: Path, name: str, version: str, code: str) -> str:
    """Make a wheel and return its hash."""
    base = name.replace("-", "_")
    path, info = folder / f"{base}-{version}-py3-none-any.whl", f"{base}-{version}.dist-info"
    files = {
        f"{base}/__init__.py": "",
        f"{base}/build.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        name_: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for name_, text in files.items()
    }
    record = "".join(f"{name_},sha256={digests[name_]},{len(text)}\n" for name_, text in files.items())
    with zipfile.ZipFile(path, "w") as wheel:
        for name_, text in (*files.items(), (f"{info}/RECORD", record)):
            wheel.writestr(name_, text)
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


class Project:
    """A copy of what tells uv how to build, beside forged packages. No network."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "project"
        self._wheels = folder / "wheels"
        self._cache = folder / "cache"
        for one in (self._folder, self._wheels):
            one.mkdir()
        self.text = (ROOT / "pyproject.toml").read_text()
        self.hashes = {name: forge(self._wheels, name, of, _FORGED_CODE) for name, of in pinned().items()}

    def trust_forged(self) -> None:
        """Name the forged packages' hashes in place of the right ones."""
        for name, forged in self.hashes.items():
            entry = re.compile(rf'(requirement = "{name}==[^"]+", hashes = \[)[^\]]+\]')
            self.text, count = entry.subn(rf'\1"{forged}"]', self.text)
            assert count == 1, name

    def build(self) -> str:
        """Let uv build the wheel; return what it says."""
        (self._folder / "pyproject.toml").write_text(self.text)
        command = [
            UV,
            "build",
            "--wheel",
            "--offline",
            "--no-index",
            "--find-links",
            self._wheels,
            "--cache-dir",
            self._cache,
        ]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, timeout=120)
        assert done.returncode != 0, "nothing here can be built"
        return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    if not UV.exists():
        missing("uv is not installed: make check")
    return Project(tmp_path)


def test_a_build_tool_with_another_hash_is_not_run(project: Project) -> None:
    said = project.build()
    assert RAN not in said
    assert "hash" in said.lower(), said


def test_one_with_the_hash_that_is_named_is_run(project: Project) -> None:
    """Without this the test before would show nothing."""
    project.trust_forged()
    assert RAN in project.build()


def test_a_build_tool_that_nobody_pinned_is_refused(project: Project, tmp_path: Path) -> None:
    project.trust_forged()
    forge(tmp_path / "wheels", "newcomer", "1.0", "")
    project.text = project.text.replace('requires = ["hatchling', 'requires = ["newcomer", "hatchling', 1)
    said = project.build()
    assert RAN not in said
    assert "newcomer" in said
    assert "hash" in said.lower(), said


def test_each_is_locked_as_it_is_pinned() -> None:
    constraints = tomllib.loads((ROOT / "uv.lock").read_text())["manifest"]["build-constraints"]
    assert {one["name"]: one["specifier"] for one in constraints} == {n: f"=={of}" for n, of in pinned().items()}
    for one in constraints:
        assert one["hashes"], one["name"]
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", of) for of in one["hashes"]), one["name"]
