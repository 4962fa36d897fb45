"""The main job as a person sees it: real server, real worker, real Chromium; only the provider is simulated."""

import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from callspool.domain.recording import State
from tests.acceptance.system import system
from tests.fixtures.browser import Complaints, plays_beyond


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


@pytest.mark.rule("S8", "F25")
async def test_a_tab_left_open_through_a_restart_shows_what_happened_meanwhile(
    tmp_path: Path, page: Any, complaints: Complaints
) -> None:
    complaints.allow("Failed to load resource")
    await page.add_init_script("Math.random = () => 0")  # it asks again after the shortest pause, not up to a minute
    async with system(tmp_path) as running:
        await page.goto(f"{running.url}/#key={running.key}")
        await page.get_by_text("Live", exact=True).wait_for()
        call = await running.call(duration_s=3.0)
        await page.locator("button.row", has_text="Queued").wait_for()
        await running.servers[-1].end(signal.SIGKILL)
        await page.locator("[role=status][data-state=live]").wait_for(state="detached")
        await running.worker()
        await running.reaches(call, State.READY)  # nobody can tell the tab of it
        assert await page.locator("button.row", has_text="Queued").count() == 1
        port = urlsplit(running.url).port
        again, line = await running.run("serve", "--port", str(port))
        running.servers.append(again)
        assert line.split()[-1] == running.url
        await page.get_by_text("Live", exact=True).wait_for()
        await page.locator("button.row", has_text="Ready").click()
        await plays_beyond(page, 0.3)
        later = await running.call("bravo", duration_s=3.0)  # and from now on events come again
        await running.reaches(later, State.READY)
        await page.locator("button.row", has_text="bravo").filter(has_text="Ready").wait_for()
        await page.goto("about:blank")
