"""The worker process of ``callspool up``, as a real process."""

import asyncio
from pathlib import Path

from callspool.cli.supervisor import SupervisedWorker
from callspool.settings import Settings
from callspool.telemetry import Metrics


async def test_a_worker_that_is_just_being_started_is_ended_too(tmp_path: Path) -> None:
    worker = SupervisedWorker(Settings.read({}, data=tmp_path), Metrics())
    supervising = asyncio.create_task(worker.supervise())
    await asyncio.sleep(0)  # it asks the system for a process, which is not there yet

    worker.stop()

    await asyncio.wait_for(supervising, 60)
