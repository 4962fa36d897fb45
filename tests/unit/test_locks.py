"""What is installed is what was looked at: every file has its hash. (The page's locks: browser/test_web_units.py.)"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_python_package_is_locked_with_the_hashes_of_its_files() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    others = [one for one in packages if one["source"] != {"editable": "."}]

    assert len(others) > 50
    for one in others:
        files = [*one.get("wheels", []), *([one["sdist"]] if "sdist" in one else [])]
        assert files, one["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), one["name"]


def test_what_installs_them_is_pinned_too() -> None:
    text = (ROOT / "build-requirements.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip()]

    assert lines
    assert [line for line in lines if not re.match(r"[a-z-]+==[0-9.]+ +--hash=sha256:[0-9a-f]{64}", line)] == []
