"""``python -m callspool.cli.settings_page``: prints docs/settings.md from the settings themselves."""

import sys
from datetime import timedelta

from callspool.settings import PREFIX, Settings

_HEAD = """# Settings

Every setting is an environment variable. Unknown `CALLSPOOL_*` names are refused. Times are in seconds.
This page is made by `python -m callspool.cli.settings_page`; a test compares it.

| name | default | meaning |
| --- | --- | --- |
"""


def page() -> str:
    """Return the page."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, timedelta):
            default = f"{default.total_seconds():g}"
        shown = f"`{default}`" if default not in (None, "") else ""
        rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |\n")
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())
