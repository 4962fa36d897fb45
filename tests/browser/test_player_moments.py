"""The player when things happen at the wrong moment: answers come late, pages change what they gave."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from callspool.api.schemas import RecordingView
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from tests.browser.conftest import Embed, Until
from tests.browser.stand_in import KEY, StandIn
from tests.fixtures.browser import Complaints, audio_time, plays_beyond

WithKey = Callable[[RecordingView], str]
READY: dict[str, Any] = {"duration_s": 184.0, "channels": 2, "content_type": "audio/wav", "verified": True}
ANSWERS_LATE = """(player) => {
  globalThis.asked = 0;
  player.getAudioUrl = () => { asked += 1; return new Promise((resolve) => (globalThis.answer = resolve)); };
}"""


class Held:
    """Requests that reach the server only when the test lets them."""

    def __init__(self) -> None:
        self.count = 0
        self._go = asyncio.Event()

    async def hold(self, route: Route) -> None:
        """Keep a request back."""
        self.count += 1
        await self._go.wait()
        await route.continue_()

    def let_go(self) -> None:
        """Let all of them through, and those that come."""
        self._go.set()


@pytest.fixture
async def ready(there: StandIn, embed: Embed, page: Page) -> Callable[[], Awaitable[str]]:
    """Opens a page with a link to a recording that is ready; returns the links' path without their number."""

    async def go() -> str:
        recording = there.add(1, State.READY, **READY)
        path = f"/api/recordings/{recording.id}/audio?token="
        await embed(f'audio-url="{path}1"')
        await expect(page.get_by_role("slider")).to_have_attribute("aria-valuemax", "184")
        return path

    return go


async def test_a_link_to_another_recording_begins_that_one(
    there: StandIn, ready: Callable[[], Awaitable[str]], page: Page, until: Until
) -> None:
    path = await ready()
    other = there.add(2, State.READY, **READY)
    player = page.locator("callspool-player")
    await player.evaluate("(player) => { player.seek(100); player.play(); }")
    await plays_beyond(page, 100.1)
    link = path.replace(next(iter(there.recordings)), other.id)
    await player.evaluate("(player, link) => { player.audioUrl = link; }", link + "1")
    await until(lambda: there.count("GET", other.id, "/waveform") == 1)
    await expect(page.get_by_role("slider")).to_have_attribute("aria-valuenow", "0")
    assert await player.evaluate("(player) => player.paused") is True


async def test_a_refusal_of_an_old_link_that_comes_late_says_nothing_of_the_new_one(
    there: StandIn, embed: Embed, page: Page, until: Until, complaints: Complaints
) -> None:
    complaints.allow("status of 403")
    recording = there.add(1, State.READY, **READY)
    path = f"/api/recordings/{recording.id}/audio?token="
    there.void_links = 1
    held = Held()
    await page.route("**/waveform?token=1", held.hold)
    await embed(f'audio-url="{path}1"')
    await until(lambda: held.count == 1)
    player = page.locator("callspool-player")
    await player.evaluate("(player, link) => { player.audioUrl = link; }", f"{path}2")
    held.let_go()
    await until(lambda: there.count("/waveform", "token=1") == 1)
    await expect(page.get_by_role("slider")).to_have_attribute("aria-valuemax", "184")
    assert await player.evaluate("(player) => player.state") == "ready"


async def test_a_link_that_the_page_gives_while_another_is_asked_for_is_played(
    there: StandIn, ready: Callable[[], Awaitable[str]], page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 403")
    path = await ready()
    there.void_links = 1
    player = page.locator("callspool-player")
    await player.evaluate(ANSWERS_LATE)
    await player.evaluate("(player) => { player.seek(100); player.play(); }")
    await expect(player).to_have_js_property("paused", True)
    await page.wait_for_function("() => globalThis.asked === 1")
    await player.evaluate(
        "async (player, link) => { player.audioUrl = link; await player.updateComplete; }", f"{path}2"
    )
    await page.evaluate("answer(null)")
    await plays_beyond(page, 100.2)


async def test_who_pauses_while_a_link_is_looked_at_sees_a_player_at_rest(
    there: StandIn, ready: Callable[[], Awaitable[str]], page: Page, until: Until, complaints: Complaints
) -> None:
    complaints.allow("status of 403")
    path = await ready()
    there.void_links = 1
    held = Held()

    async def hold_looks(route: Route) -> None:
        await (held.hold(route) if route.request.resource_type == "fetch" else route.continue_())

    await page.route("**/audio?token=1", hold_looks)
    player = page.locator("callspool-player")
    await player.evaluate(f"(player) => {{ player.getAudioUrl = () => (document.title = '{path}2'); player.play(); }}")
    await until(lambda: held.count == 1)
    await player.evaluate("(player) => player.pause()")
    held.let_go()
    await expect(page).to_have_title(f"{path}2")
    await expect(page.get_by_role("button", name="Play", exact=True)).to_have_attribute("data-waits", "no")


async def test_a_player_that_is_moved_in_its_page_plays_on(
    there: StandIn, embed: Embed, with_key: WithKey, page: Page
) -> None:
    """As a list does that is sorted anew."""
    await embed(with_key(there.add(1, State.READY, **READY)), with_key(there.add(2, State.READY, **READY)))
    first = page.locator("callspool-player").first
    await first.evaluate("(player) => { player.seek(100); player.play(); }")
    await plays_beyond(page, 100.1)
    await first.evaluate("(player) => player.parentElement.append(player)")
    before = await audio_time(page) or 0
    await plays_beyond(page, before + 0.3)
    assert before > 100
    assert there.links_given == 1


async def test_what_goes_wrong_beside_the_sound_leaves_its_controls_in_reach(
    there: StandIn, embed: Embed, with_key: WithKey, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 503")
    await embed(with_key(there.add(1, State.READY, **READY)))
    await page.get_by_role("button", name="Play", exact=True).click()
    await plays_beyond(page, 0.1)
    told = '{"code":"unavailable","detail":"The store does not answer."}'
    await page.route(
        "**/playback", lambda route: route.fulfill(status=503, content_type="application/problem+json", body=told)
    )
    await page.get_by_role("button", name="Download").click()
    await expect(page.locator(".note")).to_contain_text("That did not work. The store does not answer.")
    await page.get_by_role("button", name="Pause").click()
    assert await page.locator("callspool-player").evaluate("(player) => player.paused") is True


async def test_a_key_that_the_page_renews_interrupts_nobody(
    there: StandIn, embed: Embed, with_key: WithKey, page: Page
) -> None:
    await embed(with_key(there.add(1, State.READY, **READY)))
    player = page.locator("callspool-player")
    await player.evaluate("(player) => { player.seek(100); player.play(); }")
    await plays_beyond(page, 100.1)
    there.key = "cs_the-next-one"
    await player.evaluate("(player, key) => { player.token = key; }", there.key)
    await plays_beyond(page, 100.5)
    assert (await audio_time(page) or 0) < 120


async def test_play_is_heard_while_a_download_is_being_asked_for(
    there: StandIn, embed: Embed, with_key: WithKey, page: Page, until: Until
) -> None:
    await embed(with_key(there.add(1, State.READY, **READY)))
    held = Held()
    await page.route("**/playback", held.hold, times=1)
    await page.get_by_role("button", name="Download").click()
    await until(lambda: held.count == 1)
    await page.get_by_role("button", name="Play", exact=True).click()
    await plays_beyond(page, 0.1)
    async with page.expect_download():
        held.let_go()


async def test_a_link_that_comes_after_the_recording_failed_is_not_kept(
    there: StandIn, embed: Embed, with_key: WithKey, page: Page, until: Until
) -> None:
    recording = there.add(1, State.QUEUED)
    await embed(with_key(recording))
    held = Held()
    await page.route("**/fetch", held.hold)
    await page.get_by_role("button", name="Play as soon as it comes").click()
    await until(lambda: held.count == 1)
    await there.change(recording, State.FAILED, reason=Reason.TRUNCATED)
    player = page.locator("callspool-player")
    await expect(player).to_have_js_property("state", "failed")
    async with page.expect_response("**/fetch") as answer:
        held.let_go()
    await (await answer.value).finished()
    await page.evaluate("() => new Promise((resolve) => setTimeout(resolve))")
    assert await player.locator("audio").get_attribute("src") is None


async def test_a_page_may_take_back_what_it_gave(
    there: StandIn, ready: Callable[[], Awaitable[str]], page: Page
) -> None:
    """React sets a property that is no longer given to undefined."""
    path = await ready()
    player = page.locator("callspool-player")
    await player.evaluate("(player) => { player.audioUrl = undefined; }")
    await expect(player).to_have_js_property("state", "empty")
    await player.evaluate(
        """(player, [link, id]) => Object.assign(player, { getToken: undefined, recording: id, audioUrl: link })""",
        [f"{path}1", next(iter(there.recordings))],
    )
    await expect(page.get_by_role("slider")).to_have_attribute("aria-valuemax", "184")
    assert there.count("/api/events") == 0


@pytest.mark.rule("S8")
async def test_without_a_key_the_server_is_not_asked(there: StandIn, embed: Embed, page: Page) -> None:
    await page.clock.install()
    await embed()
    await page.evaluate(
        """([id]) => {
          const player = document.createElement("callspool-player");
          player.recording = id;
          player.getToken = async () => { throw new Error("the page's own server is away"); };
          document.querySelector("main").append(player);
        }""",
        [there.add(1, State.READY, **READY).id],
    )
    player = page.locator("callspool-player")
    await expect(player).to_contain_text("The key is not valid")
    await page.clock.fast_forward("01:00")
    assert await page.evaluate("fetch('/player.js').then((answer) => answer.status)") == 200
    assert there.count("/api/") == 0
    await player.evaluate("(player, key) => { player.getToken = () => key; }", KEY)
    await expect(page.get_by_role("slider")).to_have_attribute("aria-valuemax", "184")


async def test_a_page_that_plays_before_anything_is_known_plays_what_comes(
    there: StandIn, embed: Embed, with_key: WithKey, page: Page, until: Until
) -> None:
    recording = there.add(1, State.QUEUED, announced_duration_s=184.0, channels=2)
    held = Held()
    await page.route("**/api/recordings/*", held.hold)
    await embed(with_key(recording))
    await until(lambda: held.count > 0)
    await page.locator("callspool-player").evaluate("(player) => player.play()")
    held.let_go()
    await expect(page.locator("callspool-player")).to_contain_text("It plays as soon as its first sound is here")
    await there.change(recording, State.FETCHING)
    await plays_beyond(page, 0.2)
