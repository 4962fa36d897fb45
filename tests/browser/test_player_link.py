"""The player with a signed link and nothing else: what it says while the recording is on its way, and after."""

from time import monotonic

import pytest
from playwright.async_api import Page, expect

from callspool.domain.recording import State
from tests.browser.conftest import Embed, Until
from tests.browser.stand_in import StandIn
from tests.fixtures.browser import Complaints, Shoot, audio_time, plays_beyond

READY = {"duration_s": 184.0, "channels": 2, "content_type": "audio/wav", "verified": True}
HEAR = """(player) => {
  const region = player.shadowRoot.querySelector("[role=status]");
  globalThis.heard = [region.textContent];
  new MutationObserver(() => heard.push(region.textContent)).observe(region, { characterData: true, subtree: true });
}"""
HEAR_STATES = (
    "document.addEventListener('callspool-state', ({ detail }) => (globalThis.states ??= []).push(detail.state))"
)


@pytest.mark.rule("S8", "F25")
async def test_what_is_on_its_way_stays_so_until_there_is_sound(
    there: StandIn, embed: Embed, page: Page, until: Until, complaints: Complaints
) -> None:
    complaints.allow("status of 409")  # its waveform is not there yet
    await page.add_init_script(HEAR_STATES)
    recording = there.add(1, State.QUEUED)
    path = f"/api/recordings/{recording.id}/audio?token=1"
    await embed(f'audio-url="{path}"')
    await expect(page.locator("callspool-player")).to_contain_text("It is not here yet. Press play to ask for it.")
    assert there.count("/audio") == 0
    await page.get_by_role("button", name="Play as soon as it comes").click()
    pressed = monotonic()
    await until(lambda: there.count("GET", "/audio") >= 1)
    await expect(page.locator("callspool-player")).to_contain_text("It plays as soon as its first sound is here")
    await there.change(recording, State.FETCHING)
    times_put_off = int((monotonic() - pressed) / 2)  # its Retry-After, on a slow machine more than once
    await plays_beyond(page, 0.2)
    await expect(page.locator("callspool-player")).to_contain_text("Its end is not here yet")
    there.whole.set()
    await there.change(there.recordings[recording.id], State.READY, **READY)
    await expect(page.get_by_role("slider")).to_have_attribute("aria-valuemax", "184")
    await expect(page.locator("callspool-player")).to_contain_text("3:04")
    await expect(page.get_by_role("button", name="Skip silence")).to_be_visible()  # it has its waveform
    await page.locator("callspool-player").evaluate("(player) => player.seek(100)")
    await plays_beyond(page, 100.2)
    states = await page.evaluate("states")
    assert states[states.index("waiting") :] == ["waiting", "streaming", "ready"]
    assert there.count("/audio") <= 5 + 2 * times_put_off, "by the element, and to see what it is"


@pytest.mark.rule("S8")
async def test_without_a_server_it_says_what_to_press_and_that_helps(
    there: StandIn, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("ERR_")
    recording = there.add(1, State.READY, **READY)
    await embed(f'audio-url="/api/recordings/{recording.id}/audio?token=1"')
    player = page.locator("callspool-player")
    await expect(page.get_by_role("slider")).to_have_attribute("aria-valuemax", "184")
    await page.context.set_offline(True)
    await player.evaluate("(player) => { player.seek(50); player.play() }")
    await expect(player).to_contain_text("Check the connection, then try again.")
    await expect(player).not_to_contain_text("by itself")
    await page.context.set_offline(False)
    await page.get_by_role("button", name="Try again").click()
    await plays_beyond(page, 50.2)
    assert (await audio_time(page) or 0) < 60


async def test_what_was_given_up_says_why_in_the_readers_language(
    there: StandIn, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 409")
    recording = there.add(1, State.QUEUED)
    await embed(f'audio-url="/api/recordings/{recording.id}/audio?token=1"', lang="he")
    player = page.locator("callspool-player")
    await expect(player).to_contain_text("היא עדיין לא כאן")
    there.given_up = "truncated"
    await player.evaluate("(player) => player.play()")
    await expect(player).to_contain_text("הספק שלח רק חלק מההקלטה")


async def test_while_another_link_is_asked_for_it_says_so_and_asks_once(
    there: StandIn, embed: Embed, page: Page, complaints: Complaints, shoot: Shoot
) -> None:
    complaints.allow("status of 403")
    recording = there.add(1, State.READY, **READY)
    path = f"/api/recordings/{recording.id}/audio?token="
    there.void_links = 1
    await embed(f'audio-url="{path}1"')
    player = page.locator("callspool-player")
    await expect(player).to_contain_text("Load the page again")
    await player.evaluate(
        """(player) => {
            globalThis.asked = 0;
            player.getAudioUrl = () => { asked += 1; return new Promise((resolve) => (globalThis.answer = resolve)); };
        }"""
    )
    await expect(player).to_contain_text("A new link is being asked for.")
    await expect(player).not_to_contain_text("did not work")
    await expect(page.get_by_role("button", name="Try again")).to_be_disabled()
    await shoot(page, "player-another-link")
    await player.evaluate("(player) => player.play()")  # as a page's own button does
    await page.evaluate("(link) => answer(link)", f"{path}2")
    await plays_beyond(page, 0.2)
    assert await page.evaluate("asked") == 1


@pytest.mark.rule("F25")
async def test_what_becomes_of_another_link_is_announced(
    there: StandIn, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 403")
    recording = there.add(1, State.READY, **READY)
    there.void_links = 1
    await embed(f'audio-url="/api/recordings/{recording.id}/audio?token=1"')
    player = page.locator("callspool-player")
    await expect(player.get_by_role("status")).to_contain_text("Load the page again")
    await player.evaluate(HEAR)
    await player.evaluate(
        "(player) => { player.getAudioUrl = () => new Promise((resolve) => (globalThis.answer = resolve)); }"
    )
    await expect(player.get_by_role("status")).to_have_text("A new link is being asked for.")
    await page.evaluate("answer(null)")
    failed = "A new one did not work either. Try again, or ask for another link."
    await expect(player.get_by_role("status")).to_have_text(failed)
    await player.evaluate("async (player) => { player.requestUpdate(); await player.updateComplete; }")
    first, *then = await page.evaluate("heard")
    assert first == "The link has expired. Load the page again, or ask for another link."
    assert then == ["A new link is being asked for.", failed]
