"""The scheduler works without the rest of callspool, as its page shows."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "scheduler.md"
ITS_WORDS = {"domain", "domain.errors", "domain.job", "domain.obstacle"}


def test_the_pages_example_runs_and_takes_nothing_else_of_callspool_with_it() -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    program = f"{example}\nimport sys\nprint(*sys.modules)\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *said, loaded = done.stdout.splitlines()
    assert said == ["sending letter-1", "sending letter-2", "left: 0"]
    ours = {name.removeprefix("callspool.") for name in loaded.split() if name.startswith("callspool.")}
    assert {name for name in ours if name.partition(".")[0] != "scheduler"} == ITS_WORDS
    assert not {"sqlalchemy", "fastapi", "pydantic", "structlog"} & set(loaded.split())
