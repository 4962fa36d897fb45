"""What a person sees and can do on the page, in a real browser."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Locator, Page, expect

from callspool.domain.reasons import POLICIES, Reason
from callspool.domain.recording import State
from tests.browser.conftest import Until
from tests.browser.stand_in import KEY, StandIn, tenant
from tests.fixtures.browser import Complaints, Shoot, audio_time, plays_beyond
from tests.fixtures.made import wav

Open = Callable[[], Awaitable[Page]]

AUDIO_SOURCES = """() => {
  const found = [];
  const look = (root) => root.querySelectorAll('*').forEach((element) => {
    if (element instanceof HTMLMediaElement) found.push(element.currentSrc);
    if (element.shadowRoot) look(element.shadowRoot);
  });
  look(document);
  return found;
}"""


def row(page: Page, state: str) -> Locator:
    """The list's only recording in this state; a choice above the list has the same name, and is there before it."""
    return page.get_by_role("list", name="Recordings").get_by_role("button", name=state)


async def let_minutes_pass(page: Page) -> None:
    """Let every timer of the page that is due in the next ten minutes go off, and its requests be sent."""
    for _ in range(10):
        await page.clock.fast_forward("01:00")
    assert await page.evaluate("fetch('/').then((answer) => answer.status)") == 200


async def let_time_pass_until(page: Page, sight: Locator) -> None:
    """Move the page's clock on in steps, each with its requests answered, until something is to be seen."""
    async with asyncio.timeout(30):
        while not await sight.is_visible():
            await page.clock.fast_forward("00:05")
            await page.evaluate("fetch('/').then((answer) => answer.text())")


@pytest.mark.rule("F16", "F18")
async def test_a_recording_becomes_ready_live_and_plays_on_a_click(
    there: StandIn, open_page: Open, until: Until
) -> None:
    recording = there.add(1, State.QUEUED)
    page = await open_page()
    row = page.get_by_role("button", name="23 Nov 2026")
    await expect(row).to_contain_text("Queued")
    await there.change(recording, State.FETCHING)
    await expect(row).to_contain_text("Fetching")
    await there.change(recording, State.READY, duration_s=8.0, content_type="audio/wav")
    await expect(row).to_contain_text("Ready")
    assert await page.evaluate(AUDIO_SOURCES) == []
    assert there.count("/audio") == there.count("POST") == 0, "nothing is loaded before somebody wants it"

    await row.click()
    await plays_beyond(page, 0.3)
    assert there.count("POST") == there.count("POST", "/playback") == 1
    assert await page.evaluate(AUDIO_SOURCES) == [f"{there.url}/api/recordings/{recording.id}/audio?token=1"]
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


@pytest.mark.rule("S8", "F9")
async def test_a_failed_recording_says_why_and_one_click_is_one_retry(
    there: StandIn, open_page: Open, until: Until
) -> None:
    recording = there.add(1, State.FAILED, reason=Reason.TRUNCATED, version=7)
    page = await open_page()
    await row(page, "Failed").click()
    player = page.get_by_role("group", name="Call recording")
    await expect(player).to_contain_text(POLICIES[Reason.TRUNCATED].sentence)
    assert there.count("POST") == 0, "looking at a failure starts nothing"
    await player.get_by_role("button", name="Retry").dblclick()
    await expect(player).to_contain_text("Waiting")
    await there.change(recording, State.FAILED, reason=Reason.GONE)
    await expect(player).to_contain_text(POLICIES[Reason.GONE].sentence)
    assert there.count("POST") == there.count("POST", "/retry") == 1


@pytest.mark.rule("S8", "F9")
async def test_a_link_that_ran_out_is_renewed_and_the_position_kept(
    there: StandIn, open_page: Open, complaints: Complaints
) -> None:
    complaints.allow("status of 403")
    there.sound.write_bytes(wav(3600))  # more than a browser loads ahead
    there.add(1, State.READY, duration_s=3600.0, content_type="audio/wav")
    page = await open_page()
    await row(page, "Ready").click()
    await plays_beyond(page, 0.2)
    there.void_links = 1
    await page.locator("callspool-player").evaluate("(player) => player.seek(3000)")
    await plays_beyond(page, 3000.2)
    assert (await audio_time(page) or 0) < 3030
    assert there.count("POST") == there.count("POST", "/playback") == 2


@pytest.mark.rule("S8", "F9")
async def test_a_server_that_refuses_its_own_links_is_asked_twice_and_no_more(
    there: StandIn, page: Page, open_page: Open, complaints: Complaints
) -> None:
    await page.clock.install()
    complaints.allow("status of 403")
    there.void_links = 1000
    there.add(1, State.READY, duration_s=8.0, content_type="audio/wav")
    page = await open_page()
    await row(page, "Ready").click()
    await expect(page.get_by_role("group", name="Call recording")).to_contain_text("The link has expired")
    await let_minutes_pass(page)
    assert there.links_given == 2
    assert there.count("/audio") == 4, "each link once by the element, and once to see what is wrong"


@pytest.mark.rule("S8", "F10", "F9")
async def test_a_web_page_in_place_of_audio_is_told_and_not_asked_for_again(
    there: StandIn, page: Page, open_page: Open, shoot: Shoot
) -> None:
    await page.clock.install()
    there.has_web_page_for_audio = True
    there.add(1, State.READY, duration_s=8.0, content_type="audio/wav")
    page = await open_page()
    await row(page, "Ready").click()
    player = page.get_by_role("group", name="Call recording")
    await expect(player).to_contain_text("not audio (text/html)")
    await let_minutes_pass(page)
    await shoot(page, "not-audio")
    assert there.links_given == 1
    assert there.count("/audio") == 2, "one by the element, one to see what is wrong"
    there.has_web_page_for_audio = False
    await player.get_by_role("button", name="Try again").click()
    await plays_beyond(page, 0.2)
    await expect(player).not_to_contain_text("not audio")
    assert there.links_given == 2


@pytest.mark.rule("S8", "F25")
async def test_a_download_of_twenty_minutes_is_waited_for(there: StandIn, page: Page, open_page: Open) -> None:
    recording = there.add(1, State.FETCHING)
    await page.clock.install()
    await open_page()
    await row(page, "Fetching").click()
    player = page.get_by_role("group", name="Call recording")
    for _ in range(20):
        await page.clock.fast_forward("01:00")
    await expect(player).to_contain_text("being fetched from the provider")
    await there.change(recording, State.READY, duration_s=8.0, content_type="audio/wav")
    # The stream fell silent long ago. It is opened anew, after a pause that is longer the more often it broke.
    await let_time_pass_until(page, player.get_by_role("button", name="Play", exact=True))
    assert there.count("POST") == 0


@pytest.mark.rule("S8")
async def test_a_page_without_events_shows_the_list_and_is_live_again_with_them(
    there: StandIn, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 503")
    there.gives_events = False
    recording = there.add(1, State.FETCHING)
    await page.clock.install()
    await page.goto(f"{there.url}/#key={KEY}")
    await expect(page.get_by_role("button", name="Fetching 23 Nov")).to_be_visible()
    await expect(page.get_by_text("Reconnecting…")).to_be_visible()
    await let_time_pass_until(page, page.get_by_text("what you see may be old"))
    await let_minutes_pass(page)
    assert there.count("GET /api/recordings?") == 5
    there.gives_events = True
    await there.change(recording, State.READY, duration_s=8.0)
    await let_time_pass_until(page, page.get_by_role("button", name="Ready 23 Nov"))
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()


async def test_an_older_state_never_replaces_a_newer_one(there: StandIn, open_page: Open) -> None:
    old = there.add(1, State.FETCHING)
    other = there.add(2, State.QUEUED)
    page = await open_page()
    await there.change(old, State.READY, duration_s=8.0)
    await there.tell(old)
    await there.change(other, State.FETCHING)
    await expect(page.get_by_role("button", name="Fetching 23 Nov")).to_have_count(1)
    await expect(page.get_by_role("button", name="Ready 23 Nov")).to_have_count(1)


async def test_the_key_leaves_the_address_and_a_wrong_one_is_refused(
    there: StandIn, page: Page, complaints: Complaints, shoot: Shoot
) -> None:
    complaints.allow("status of 401")
    there.add(1, State.READY, duration_s=8.0)
    await page.goto(f"{there.url}/#key=cs_wrong")
    await expect(page.get_by_role("alert")).to_contain_text("not valid")
    assert page.url == f"{there.url}/"
    await page.get_by_label("API key").fill(KEY)
    await shoot(page, "sign-in")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("button", name="Ready 23 Nov")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("button", name="Ready 23 Nov")).to_be_visible()
    assert there.count("cs_") == 0, "the key is never part of an address"
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("API key")).to_be_visible()


async def test_a_filter_follows_what_happens_and_more_is_loaded_on_demand(there: StandIn, open_page: Open) -> None:
    for number in range(1, 121):
        there.add(number, State.READY, duration_s=8.0)
    failed = there.add(121, State.QUEUED)
    page = await open_page()
    rows = page.get_by_role("list", name="Recordings").get_by_role("listitem")
    await expect(rows).to_have_count(50)
    await page.get_by_role("button", name="Load more").click()
    await expect(rows).to_have_count(100)
    await page.get_by_role("group", name="Show by state").get_by_role("button", name="Failed").click()
    await expect(page.get_by_text("No recording is in this state now: Failed.")).to_be_visible()
    await there.change(failed, State.FAILED, reason=Reason.GONE)
    await expect(rows).to_have_count(1)
    await there.change(failed, State.QUEUED)
    await expect(rows).to_have_count(0)


async def test_the_player_is_worked_by_keyboard_alone(there: StandIn, open_page: Open, shoot: Shoot) -> None:
    there.add(1, State.READY, duration_s=8.0, content_type="audio/wav")
    page = await open_page()
    await page.get_by_role("button", name="Ready 23 Nov").focus()
    await page.keyboard.press("Enter")
    await plays_beyond(page, 0.1)
    await page.get_by_role("button", name="Pause").focus()
    await page.keyboard.press("Space")
    slider = page.get_by_role("slider", name="Position")
    await slider.focus()
    await page.keyboard.press("Home")
    await expect(slider).to_have_attribute("aria-valuetext", "0 seconds of 8 seconds")
    await page.keyboard.press("ArrowRight")
    await expect(slider).to_have_attribute("aria-valuetext", "5 seconds of 8 seconds")
    await shoot(page, "keyboard")
    await page.keyboard.press("End")
    await expect(slider).to_have_attribute("aria-valuetext", "8 seconds of 8 seconds")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 390), ("dark", 390)], ids=str)
async def test_the_page_fits_its_window(
    scheme: str, width: int, there: StandIn, page: Page, open_page: Open, shoot: Shoot
) -> None:
    names = ["Acme Ltd", "Birch & Sons", "Harbour Clinic", "Kestrel Logistics", "Nordlicht GmbH", "Ostra Insurance"]
    there.tenants = [
        tenant(name, running=running, waiting=waiting, states={State.READY: 40 + running, State.FAILED: running})
        for name, (running, waiting) in zip(names, [(3, 187), (1, 0), (0, 0), (2, 0), (0, 0), (1, 0)], strict=True)
    ]
    ids = [one.id for one in there.tenants]
    states = [State.READY, State.FETCHING, State.QUEUED, State.FAILED, State.READY, State.CANCELLED, State.ABSENT]
    for number in range(1, 25):
        state = states[number % len(states)]
        reason = {State.FAILED: Reason.NOT_FOUND}.get(state)
        there.add(
            number,
            state,
            tenant_id=ids[number % 6],
            reason=reason,
            duration_s=61.0 * number if state is State.READY else None,
        )
    there.add(25, State.QUEUED, reason=Reason.NOT_READY, tenant_id="acme")
    there.add(26, State.READY, tenant_id="birch", duration_s=8.0, content_type="audio/wav")
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.set_viewport_size({"width": width, "height": 844})
    await open_page()
    await page.get_by_role("button", name="Ready 23 Nov").first.click()
    await plays_beyond(page, 0.5)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    await shoot(page, f"page-{scheme}-{width}")
    await page.get_by_role("button", name="Failed 23 Nov").first.click()
    await page.get_by_role("group", name="Call recording").get_by_role("button", name="Retry").wait_for()
    await shoot(page, f"page-failed-{scheme}-{width}")
