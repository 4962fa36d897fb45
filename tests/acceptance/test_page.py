"""The main job as a person sees it: real server, real worker, real Chromium; only the provider is simulated."""

from pathlib import Path
from typing import Any

import pytest

from callspool.domain.recording import State
from tests.acceptance.system import system
from tests.fixtures.browser import plays_beyond


@pytest.mark.rule("S8", "F10", "F16", "F25")
async def test_person_sees_a_recording_become_ready_and_plays_it(tmp_path: Path, page: Any, shoot: Any) -> None:
    async with system(tmp_path) as running:
        await page.goto(f"{running.url}/#key={running.key}")
        await page.get_by_text("Live", exact=True).wait_for()
        call = await running.call("bravo", duration_s=6.0, channels=2)
        gone = await running.call("acme", duration_s=3.0, faults=["410:1"])
        await page.locator("button.row", has_text="Queued").first.wait_for()
        await running.worker()
        await running.reaches(call, State.READY)
        await page.locator("button.row", has_text="Ready").click()
        player = page.get_by_role("group", name="Call recording")
        await plays_beyond(page, 0.3)  # a click on a ready recording plays it
        await player.get_by_role("button", name="Pause", exact=True).click()
        await player.get_by_role("button", name="Play", exact=True).click()
        await plays_beyond(page, 0.8)
        await shoot(page, "main-job-plays")
        await running.reaches(gone, State.FAILED)
        await page.locator("button.row", has_text="Failed").click()
        await page.get_by_text("The provider has deleted this recording.").first.wait_for()
        await shoot(page, "main-job-failed")
        await page.goto("about:blank")  # before the server goes away, which is not what this test is about
