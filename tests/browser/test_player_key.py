"""The player on a page whose function gives its key: what it asks when the key is refused, and when it begins again."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from callspool.domain.recording import State
from tests.browser.conftest import Embed, Until
from tests.browser.stand_in import KEY, StandIn
from tests.fixtures.browser import Complaints, Shoot, audio_time, plays_beyond

READY: dict[str, Any] = {"duration_s": 184.0, "channels": 2, "content_type": "audio/wav", "verified": True}
DRAWS = """(id) => {
  globalThis.asked = 0;
  globalThis.key = "cs_old";
  const player = document.createElement("callspool-player");
  player.recording = id;
  // As a page does that makes the function anew each time it draws, and draws whatever it hears.
  globalThis.draw = () => (player.getToken = async () => ((asked += 1), key));
  player.addEventListener("callspool-state", draw);
  draw();
  document.querySelector("main").append(player);
}"""
DRAW_OFTEN = """async (player) => {
  for (let time = 0; time < 300; time += 1) {
    draw();
    await player.updateComplete;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}"""


@pytest.mark.rule("S8", "F9")
async def test_a_refused_key_is_not_used_again_however_often_the_page_draws(
    there: StandIn, embed: Embed, until: Until, page: Page, complaints: Complaints, shoot: Shoot
) -> None:
    complaints.allow("status of 401")
    recording = there.add(1, State.READY, **READY)
    await embed()
    await page.evaluate(DRAWS, recording.id)
    player = page.locator("callspool-player")
    await expect(player).to_contain_text("The key is not valid")
    await player.evaluate(DRAW_OFTEN)
    refused = there.count("/api/")
    assert refused <= 2
    assert await page.evaluate("asked") <= 12  # the page's own server may have to answer that
    await shoot(page, "player-refused-key")
    await page.get_by_role("button", name="Try again").click()
    await until(lambda: there.count("/api/") > refused)
    await expect(player).to_contain_text("The key is not valid")
    assert there.count("/api/") <= 2 * refused
    await page.evaluate("(good) => { key = good; draw(); }", KEY)
    await expect(page.get_by_role("slider")).to_have_attribute("aria-valuemax", "184")


@pytest.mark.rule("S8")
async def test_a_key_that_the_page_gives_while_none_is_refused_is_used(
    there: StandIn, embed: Embed, until: Until, page: Page, complaints: Complaints
) -> None:
    """A page often learns its key after it has drawn the player: the refusal comes after the function."""
    complaints.allow("status of 401")
    recording = there.add(1, State.READY, **READY)
    there.refuses_late.clear()
    await embed(f'recording="{recording.id}"')
    await until(lambda: there.count("/api/") > 0)
    await page.locator("callspool-player").evaluate("(player, key) => { player.getToken = () => key; }", KEY)
    there.refuses_late.set()
    await expect(page.get_by_role("slider")).to_have_attribute("aria-valuemax", "184")


async def test_another_key_goes_on_at_the_place_that_was_reached(
    there: StandIn, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 401")
    recording = there.add(1, State.READY, **READY)
    await embed()
    there.key = "cs_old"
    await page.evaluate(DRAWS, recording.id)
    player = page.locator("callspool-player")
    await expect(page.get_by_role("slider")).to_have_attribute("aria-valuemax", "184")
    there.key = KEY
    await player.evaluate("(player) => { player.seek(100); player.play(); }")
    await expect(player).to_contain_text("The key is not valid")
    await page.evaluate("(good) => { key = good; draw(); }", KEY)
    await page.get_by_role("button", name="Play", exact=True).click()
    await plays_beyond(page, 100.2)
    assert (await audio_time(page) or 0) < 120


@pytest.mark.rule("S8")
async def test_one_press_on_try_again_helps_all_players_whose_key_was_refused(
    there: StandIn, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 401")
    recordings = [there.add(number, State.READY, **READY) for number in (1, 2)]
    await embed(*(f'recording="{one.id}"' for one in recordings))
    await page.evaluate(
        """() => {
          globalThis.key = "cs_old";
          const getToken = () => key;
          for (const player of document.querySelectorAll("callspool-player")) player.getToken = getToken;
        }"""
    )
    again = page.get_by_role("button", name="Try again")
    await expect(again).to_have_count(2)
    await page.evaluate("(good) => { key = good; }", KEY)
    await again.last.click()
    await expect(page.get_by_role("slider")).to_have_count(2)
