"""The player on somebody's page, whose policy allows nothing inline: its states, its sound, its timeline."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from callspool.api.schemas import RecordingView
from callspool.domain.reasons import POLICIES, Reason
from callspool.domain.recording import State
from tests.browser.conftest import Embed, Until
from tests.browser.stand_in import KEY, StandIn
from tests.fixtures.browser import Complaints, audio_time, holds, plays_beyond

WithKey = Callable[[RecordingView], str]
READY = {"duration_s": 184.0, "channels": 2, "content_type": "audio/wav", "verified": True}
BOUND = 60_000
INK = """(canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let drawn = 0;
  for (let at = 3; at < data.length; at += 4) drawn += data[at] > 0;
  return drawn / (data.length / 4);
}"""


def player(page: Page) -> Locator:
    return page.locator("callspool-player")


def slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="Position")


def test_it_is_small(built_page: Path) -> None:
    packed = (built_page / "player.js.gz").read_bytes()
    assert 10_000 < len(packed) <= BOUND


@pytest.mark.rule("F18")
async def test_the_waveform_is_there_before_any_audio_and_can_be_moved_in(
    there: StandIn, embed: Embed, with_key: WithKey, until: Until
) -> None:
    page = await embed(with_key(there.add(1, State.READY, **READY)))
    await until(lambda: there.count("/waveform") == 1)
    canvas = page.locator("canvas")
    await expect(slider(page)).to_have_attribute("aria-valuemax", "184")

    async def is_drawn() -> bool:
        return bool(await canvas.evaluate(INK) > 0.1)

    await holds(is_drawn)
    box = await slider(page).bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 5)
    await expect(slider(page)).to_have_attribute("aria-valuetext", "1 minute 32 seconds of 3 minutes 4 seconds")
    await slider(page).press("ArrowRight")
    await slider(page).press("PageUp")
    await expect(slider(page)).to_have_attribute("aria-valuenow", "127")
    assert there.count("/audio") == there.count("POST") == 0
    await player(page).evaluate("(player) => player.play()")
    await plays_beyond(page, 127.2)
    assert (await audio_time(page) or 0) < 150


@pytest.mark.rule("S8", "F25")
async def test_each_state_has_its_words(
    there: StandIn, embed: Embed, with_key: WithKey, complaints: Complaints
) -> None:
    complaints.allow("status of 401")
    complaints.allow("status of 404")
    there.ahead = 3
    shown = [
        (there.add(1, State.ANNOUNCED), "waiting", "still being recorded"),
        (there.add(2, State.QUEUED), "waiting", "3 recordings are before it"),
        (there.add(3, State.FETCHING), "downloading", "being fetched from the provider"),
        (there.add(4, State.READY, **READY), "ready", "3:04"),
        (there.add(5, State.READY, **{**READY, "verified": False}), "unverified", "Not verified"),
        (there.add(6, State.FAILED, reason=Reason.TRUNCATED), "failed", POLICIES[Reason.TRUNCATED].sentence),
        (there.add(7, State.ABSENT), "absent", "nothing was recorded"),
        (there.add(8, State.PURGED), "purged", "deleted here on 23 Nov 2026"),
        (there.add(9, State.CANCELLED), "cancelled", "It can be started again"),
    ]
    page = await embed(*(with_key(one) for one, _, _ in shown), f'recording="rec_{0:032x}" token="{KEY}"')
    for index, (_, state, words) in enumerate(shown):
        one = player(page).nth(index)
        await expect(one).to_contain_text(words)
        assert await one.evaluate("(player) => player.state") == state
    await expect(player(page).last).to_contain_text("There is no such recording, or you may not hear it")
    assert there.count("POST") == there.count("/audio") == 0


@pytest.mark.rule("S8", "F9")
async def test_a_key_that_is_not_valid_is_told_and_nothing_more_is_asked(
    there: StandIn, embed: Embed, page: Page, complaints: Complaints
) -> None:
    await page.clock.install()
    complaints.allow("status of 401")
    recording = there.add(1, State.READY, **READY)
    await embed(f'recording="{recording.id}" token="cs_wrong"')
    await expect(player(page)).to_contain_text("The key is not valid")
    asked = len(there.asked)
    await page.clock.fast_forward("10:00")
    assert await page.evaluate("fetch('/player.js').then((answer) => answer.status)") == 200
    assert len(there.asked) == asked + 1


@pytest.mark.rule("F18")
async def test_what_comes_is_played_while_it_comes_and_goes_on_when_it_is_whole(
    there: StandIn, embed: Embed, with_key: WithKey
) -> None:
    recording = there.add(1, State.QUEUED, announced_duration_s=184.0, channels=2)
    page = await embed(with_key(recording))
    await page.get_by_role("button", name="Play as soon as it comes").click()
    await expect(player(page)).to_contain_text("It plays as soon as its first sound is here")
    await there.change(recording, State.FETCHING)
    await plays_beyond(page, 0.2)
    assert await player(page).evaluate("(player) => player.state") == "streaming"
    await expect(player(page)).to_contain_text("Its end is not here yet")
    await expect(player(page)).to_contain_text("% downloaded")
    there.whole.set()
    await there.change(recording, State.READY, **READY)
    await expect(player(page)).not_to_contain_text("Its end is not here yet")
    before = await audio_time(page) or 0
    await plays_beyond(page, before + 0.2)
    await player(page).evaluate("(player) => player.seek(170)")
    await plays_beyond(page, 170.2)


@pytest.mark.rule("F18")
async def test_what_began_to_come_while_its_sound_was_asked_for_is_asked_for_again(
    there: StandIn, embed: Embed, with_key: WithKey, until: Until
) -> None:
    """The server had no sound yet, and its answer comes after the event that tells of the download."""
    there.answers_late.clear()
    recording = there.add(1, State.QUEUED, announced_duration_s=184.0, channels=2)
    page = await embed(with_key(recording))
    await page.get_by_role("button", name="Play as soon as it comes").click()
    await until(lambda: there.asked_early == 1)
    await there.change(recording, State.FETCHING)
    await expect(player(page)).to_contain_text("It is being fetched from the provider")
    there.answers_late.set()
    await plays_beyond(page, 0.2)
    assert await player(page).evaluate("(player) => player.state") == "streaming"
    assert there.count("POST", "/fetch") == there.count("/audio") == 2


async def test_how_much_of_a_download_is_here_is_said_before_anybody_listens(
    there: StandIn, embed: Embed, with_key: WithKey
) -> None:
    there.received = 2_000_000
    page = await embed(with_key(there.add(1, State.FETCHING)))
    await expect(player(page)).to_contain_text("34% downloaded")
    bar = page.get_by_role("progressbar", name="On its way")
    await expect(bar).to_have_js_property("value", 2_000_000 / there.sound.stat().st_size)
    assert there.count("/audio") == there.count("POST") == 0


@pytest.mark.rule("S8")
async def test_what_breaks_off_while_it_comes_is_never_taken_for_whole(
    there: StandIn, embed: Embed, with_key: WithKey, complaints: Complaints
) -> None:
    complaints.allow("ERR_INCOMPLETE_CHUNKED_ENCODING")
    there.breaks_off = True
    recording = there.add(1, State.FETCHING, announced_duration_s=184.0, channels=2)
    page = await embed(with_key(recording))
    await page.get_by_role("button", name="Play as soon as it comes").click()
    await plays_beyond(page, 0.2)
    there.whole.set()
    await there.change(recording, State.FAILED, reason=Reason.TRUNCATED)
    await expect(player(page)).to_contain_text(POLICIES[Reason.TRUNCATED].sentence)
    assert await player(page).evaluate("(player) => player.paused") is True
