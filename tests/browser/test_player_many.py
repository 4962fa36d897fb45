"""Many players, tabs and languages: what all of them share, and that everybody can use them."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from callspool.api.schemas import RecordingView
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from tests.browser.conftest import Embed, Until
from tests.browser.stand_in import StandIn
from tests.fixtures.browser import PACKAGES, Chromium, Complaints, Shoot, audio_time, plays_beyond

WithKey = Callable[[RecordingView], str]
READY: dict[str, Any] = {"duration_s": 184.0, "channels": 2, "content_type": "audio/wav", "verified": True}
HOSTILE = "<img src=x onerror=alert(1)>"
AXE = """async () => {
  const found = await globalThis.axe.run(document, { resultTypes: ['violations'] });
  return JSON.stringify(found.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html.slice(0, 200))]));
}"""


def every_state(there: StandIn) -> list[RecordingView]:
    there.ahead = 3
    return [
        there.add(1, State.READY, **READY),
        there.add(2, State.READY, **{**READY, "channels": 1, "verified": False, "unverified": ["duration"]}),
        there.add(3, State.QUEUED, reason=Reason.NOT_READY),
        there.add(4, State.FETCHING, announced_duration_s=184.0),
        there.add(5, State.FAILED, reason=Reason.TRUNCATED),
        there.add(6, State.ABSENT),
        there.add(7, State.PURGED),
        there.add(8, State.CANCELLED),
    ]


async def test_a_browser_without_a_locale_of_its_system_plays_all_the_same(
    there: StandIn, page: Page, embed: Embed, with_key: WithKey
) -> None:
    """Chromium says this where LANG is C or POSIX, as in a container."""
    tag = "Object.defineProperty(Navigator.prototype, 'languages', { get: () => ['en-US@posix'] })"
    await page.add_init_script(tag)
    await embed(with_key(there.add(1, State.READY, **READY)), lang="en")
    await expect(page.locator("callspool-player").get_by_role("button", name="Play").first).to_be_enabled()


@pytest.mark.parametrize(
    ("lang", "scheme", "width"),
    [("en", "light", 900), ("en", "dark", 900), ("he", "light", 390), ("ar", "dark", 900), ("en-XA", "light", 390)],
)
async def test_every_state_can_be_used_by_everybody_and_fits(
    lang: str,
    scheme: Any,
    width: int,
    there: StandIn,
    page: Page,
    embed: Embed,
    with_key: WithKey,
    shoot: Shoot,
    chromium: Chromium,
) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 1300})
    players = [with_key(one) for one in every_state(there)]
    await embed(*players, lang=lang)
    groups = page.locator(".player")
    await expect(groups).to_have_count(len(players))
    await expect(page.get_by_role("slider")).to_have_count(2)
    assert await groups.first.get_attribute("dir") == ("rtl" if lang in ("he", "ar") else "ltr")
    box = await page.get_by_role("slider").first.bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 4, box["y"] + 9)
    await expect(page.get_by_role("slider").first).to_have_attribute("aria-valuenow", "46")  # left is early, always
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    await shoot(page, f"player-{lang}-{scheme}-{width}")
    other = "light" if scheme == "dark" else "dark"
    await page.emulate_media(color_scheme=other)
    await shoot(page, f"player-{lang}-{other}-{width}")
    await page.emulate_media(color_scheme=scheme)
    await page.evaluate((PACKAGES / "node_modules/axe-core/axe.min.js").read_text() + ";0")
    violations = json.loads(await page.evaluate(AXE))
    ours = [one for one in violations if one[0] not in {"page-has-heading-one", "region", "landmark-one-main"}]
    assert ours == []


@pytest.mark.rule("F18")
async def test_fifty_players_load_no_audio_and_share_one_stream(
    there: StandIn, embed: Embed, with_key: WithKey, until: Until, page: Page
) -> None:
    await page.set_viewport_size({"width": 900, "height": 700})
    recordings = [there.add(number, State.READY, **READY) for number in range(1, 50)]
    waiting = there.add(50, State.FETCHING)
    await embed(*(with_key(one) for one in [waiting, *recordings]))
    await until(lambda: there.count("/waveform") > 0)
    assert there.count("GET", "/waveform") < 25, "those far below are not asked for yet"
    await page.evaluate("scrollTo(0, document.body.scrollHeight)")
    await until(lambda: there.count("/waveform") > 10)
    await there.change(waiting, State.FAILED, reason=Reason.GONE)
    await expect(page.locator("callspool-player").first).to_contain_text("The provider has deleted this recording")
    assert there.count("/api/events") == 1
    assert there.count("/audio") == there.count("POST") == 0
    assert await page.evaluate("document.querySelectorAll('audio').length") == 0


async def test_tabs_share_one_stream_and_the_next_one_goes_on_when_a_tab_closes(
    there: StandIn, embed: Embed, with_key: WithKey, until: Until, page: Page
) -> None:
    recording = there.add(1, State.QUEUED)
    await embed(with_key(recording))
    await until(lambda: there.count("/api/events") == 1)
    other = await page.context.new_page()
    await other.goto(page.url)
    await expect(other.locator("callspool-player")).to_contain_text("Waiting")
    fetching = await there.change(recording, State.FETCHING)
    for tab in (page, other):
        await expect(tab.locator("callspool-player")).to_contain_text("On its way")
    assert there.count("/api/events") == 1
    await page.close()
    await until(lambda: there.count("/api/events") == 2)
    await there.change(fetching, State.FAILED, reason=Reason.GONE)
    await expect(other.locator("callspool-player")).to_contain_text("The provider has deleted this recording")
    await other.close()


@pytest.mark.rule("S8")
async def test_a_link_alone_plays_and_is_renewed_once_at_its_place(
    there: StandIn, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 403")
    recording = there.add(1, State.READY, **READY)
    path = f"/api/recordings/{recording.id}/audio?token="
    await embed(f'audio-url="{path}1"')
    player = page.locator("callspool-player")
    await expect(page.get_by_role("slider")).to_have_attribute("aria-valuemax", "184")
    there.void_links = 1
    await player.evaluate(f"(player) => {{ player.getAudioUrl = () => '{path}2'; player.seek(100); player.play() }}")
    await plays_beyond(page, 100.2)
    assert (await audio_time(page) or 0) < 120
    assert there.count("/api/events") == there.count("POST") == 0
    assert there.count("token=2") >= 1


@pytest.mark.rule("S8", "F9")
async def test_a_link_that_ran_out_is_renewed_at_its_place_once_the_page_can(
    there: StandIn, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 403")
    recording = there.add(1, State.READY, **READY)
    path = f"/api/recordings/{recording.id}/audio?token="
    await embed(f'audio-url="{path}1"')
    player = page.locator("callspool-player")
    await expect(page.get_by_role("slider")).to_have_attribute("aria-valuemax", "184")
    there.void_links = 1
    await player.evaluate("(player) => { player.seek(100); player.play() }")
    await expect(player).to_contain_text("Load the page again")
    await player.evaluate(
        """async (player) => {
            globalThis.asked = 0;
            player.getAudioUrl = () => { asked += 1; return null; };
            await player.updateComplete;
        }"""
    )
    await expect(player).to_contain_text("A new one did not work either")
    await player.evaluate(  # as a page does that makes the function anew each time it draws
        """async (player) => {
            player.getAudioUrl = async () => { document.title = ++asked; throw new Error("its server is away"); };
            await player.updateComplete;
        }"""
    )
    await player.evaluate(  # or that has it only now and then
        """async (player) => {
            for (const none of [null, undefined, null]) {
                player.getAudioUrl = none;
                await player.updateComplete;
                player.getAudioUrl = async () => { document.title = ++asked; throw new Error("its server is away"); };
                await player.updateComplete;
            }
        }"""
    )
    assert await page.evaluate("asked") == 1
    await page.get_by_role("button", name="Try again").click()
    await expect(page).to_have_title("2")
    await expect(player).to_contain_text("A new one did not work either")
    refusals = there.count("token=1")
    await player.evaluate(
        f"""async (player) => {{
            player.getAudioUrl = null;
            await player.updateComplete;
            player.getAudioUrl = () => {{ asked += 1; return '{path}2'; }};
        }}"""
    )
    await page.get_by_role("button", name="Play", exact=True).click()
    await plays_beyond(page, 100.2)
    assert (await audio_time(page) or 0) < 120
    assert await page.evaluate("asked") == 3
    assert there.count("token=1") == refusals


async def test_a_channel_is_heard_alone_after_a_press_and_its_name_is_text(
    there: StandIn, embed: Embed, with_key: WithKey, page: Page
) -> None:
    await page.add_init_script(
        "globalThis.made = 0; const Real = AudioContext;"
        "globalThis.AudioContext = class extends Real { constructor(...given) { super(...given); made += 1; } };"
    )
    recording = there.add(1, State.READY, **READY)
    name = HOSTILE.replace("<", "&lt;")
    await embed(f'{with_key(recording)} channels="{name}, Customer"')
    await expect(page.get_by_text(HOSTILE)).to_be_visible()
    await page.get_by_role("button", name="Play", exact=True).click()
    await plays_beyond(page, 0.2)
    assert await page.evaluate("made") == 0
    solo = page.get_by_role("button", name="Hear only Customer")
    await solo.click()
    await expect(solo).to_have_attribute("aria-pressed", "true")
    assert await page.evaluate("made") == 1
    before = await audio_time(page) or 0
    await plays_beyond(page, before + 0.2)


async def test_the_keyboard_alone_does_everything(
    there: StandIn, embed: Embed, with_key: WithKey, page: Page, until: Until
) -> None:
    await embed(with_key(there.add(1, State.READY, **READY)))
    slider = page.get_by_role("slider")
    await slider.focus()
    for key in ("PageUp", "l", "b", "ArrowRight", "b"):
        await page.keyboard.press(key)
    await expect(slider).to_have_attribute("aria-valuenow", "45")
    await page.keyboard.press("Shift+Period")
    assert await page.locator("callspool-player").evaluate("(player) => player.playbackRate") == 1.25
    await page.get_by_role("button", name="End the loop").wait_for()
    await page.keyboard.press("Space")
    async with asyncio.timeout(20):
        while not 40 <= (await audio_time(page) or 0) < 44:  # it began at the loop's end
            await asyncio.sleep(0.02)
    await page.keyboard.press("k")
    await page.get_by_role("button", name="Play", exact=True).wait_for()
