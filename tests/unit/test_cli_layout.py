"""What a process says that begins while Valkey does not answer."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from callspool.cli import layout
from callspool.wiring import Parts


async def test_a_valkey_that_hangs_is_told_of_and_the_process_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: Any) -> list[Any]:
        return []

    async def hangs(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(layout, "_PATIENCE_S", 0.05)
    store = SimpleNamespace(tenants=none, endpoints=none)
    with capture_logs() as logs:
        await layout.join_layout(cast("Parts", SimpleNamespace(store=store, producer=SimpleNamespace(join=hangs))))
    assert [(one["event"], one["error"]) for one in logs] == [
        ("scheduler.unavailable", "Valkey does not answer: no answer within 0.05 s")
    ]
