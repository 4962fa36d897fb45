"""The player by keyboard alone: what is pressed may go away, and who pressed it goes on from there."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from callspool.api.schemas import RecordingView
from callspool.domain.reasons import Reason
from callspool.domain.recording import State
from tests.browser.conftest import Embed
from tests.browser.stand_in import KEY, StandIn
from tests.fixtures.browser import Complaints

WithKey = Callable[[RecordingView], str]
READY: dict[str, Any] = {"duration_s": 184.0, "channels": 2, "content_type": "audio/wav", "verified": True}
NOTES_THE_FOCUS = """
  globalThis.focused = () => {
    const [inPage, player] = [document.activeElement, document.querySelector("callspool-player")];
    if (inPage !== player) return `outside: ${inPage?.tagName} ${inPage?.id}`;
    const inside = player.shadowRoot.activeElement;
    if (!inside) return "the player";
    return (inside.getAttribute("aria-label") ?? inside.textContent).replace(/\\s+/g, " ").trim();
  };
  globalThis.seen = [];
  const look = () => { if (seen.at(-1) !== focused()) seen.push(focused()); requestAnimationFrame(look); };
  addEventListener("load", look);
"""


async def has_focus(page: Page, name: str) -> None:
    """Wait until what has that name, or begins with that text, has the focus."""
    await page.wait_for_function("(name) => focused().startsWith(name)", arg=name)


async def left_the_player(page: Page) -> list[str]:
    """Return what had the focus outside the player, in any frame since it first came in."""
    seen: list[str] = await page.evaluate("seen")
    came_in = next(at for at, name in enumerate(seen) if not name.startswith("outside"))
    return [name for name in seen[came_in:] if name.startswith("outside")]


@pytest_asyncio.fixture(loop_scope="session")
async def noted(page: Page) -> Page:
    """A page that notes in each frame what has the focus."""
    await page.add_init_script(NOTES_THE_FOCUS)
    return page


@pytest.mark.rule("F25")
async def test_who_presses_a_button_that_goes_away_goes_on_from_there(
    there: StandIn, embed: Embed, with_key: WithKey, noted: Page
) -> None:
    recording = there.add(1, State.FAILED, reason=Reason.TRUNCATED)
    answers = asyncio.Event()

    async def hold(route: Route) -> None:
        await answers.wait()
        await route.continue_()

    await noted.route("**/retry", hold)
    await embed(with_key(recording) + " cancellable")
    await expect(noted.get_by_role("button", name="Retry")).to_be_visible()
    await noted.keyboard.press("Tab")
    await has_focus(noted, "Retry")
    await noted.keyboard.press("Enter")
    await expect(noted.get_by_role("button", name="Retry")).to_be_disabled()
    await has_focus(noted, "Retry")
    answers.set()
    await has_focus(noted, "Play as soon as it comes")
    await noted.keyboard.press("Tab")
    await has_focus(noted, "Stop fetching")
    await noted.keyboard.press("Enter")
    await has_focus(noted, "Stopped")  # there is nothing to play: what is said has it
    await noted.keyboard.press("Tab")
    await has_focus(noted, "Retry")
    assert await left_the_player(noted) == []


async def test_try_again_keeps_the_focus_while_the_player_begins_anew(
    there: StandIn, embed: Embed, noted: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 401")
    recording = there.add(1, State.READY, **READY)
    await embed("")
    await noted.evaluate(
        """(recording) => {
          globalThis.key = "cs_old";
          const player = document.querySelector("callspool-player");
          Object.assign(player, { recording, getToken: () => key }); // in one go: a key that comes later is a new start
        }""",
        recording.id,
    )
    await expect(noted.get_by_role("button", name="Try again")).to_be_visible()
    await noted.keyboard.press("Tab")
    await has_focus(noted, "Try again")
    await noted.keyboard.press("Enter")
    await has_focus(noted, "Not allowed")
    await noted.evaluate("(good) => { key = good; }", KEY)
    await expect(noted.get_by_role("button", name="Try again")).to_be_visible()  # it begins anew, and is refused
    await noted.keyboard.press("Tab")
    await has_focus(noted, "Try again")
    await noted.keyboard.press("Enter")
    await has_focus(noted, "Play")
    await noted.keyboard.press("Tab")
    await has_focus(noted, "Forward 10 seconds")
    assert await left_the_player(noted) == []
    assert await noted.locator("callspool-player").get_attribute("tabindex") is None


async def test_a_player_that_changes_takes_the_focus_from_nobody(
    there: StandIn, embed: Embed, with_key: WithKey, noted: Page
) -> None:
    recording = there.add(1, State.FAILED, reason=Reason.TRUNCATED)
    await embed(with_key(recording))
    await noted.evaluate(
        """() => {
          const field = document.createElement("input");
          field.id = "own";
          document.querySelector("main").prepend(field);
        }"""
    )
    await noted.locator("#own").focus()
    player = noted.locator("callspool-player")
    await noted.get_by_role("button", name="Retry").dispatch_event("click")
    await expect(player).to_have_js_property("state", "waiting")
    await there.change(recording, State.READY, **READY)
    await expect(player).to_have_js_property("state", "ready")
    await noted.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    seen = await noted.evaluate("seen")
    assert seen[-1] == "outside: INPUT own"
    assert [name for name in seen if not name.startswith("outside")] == []


async def test_what_goes_while_it_is_in_use_leaves_the_focus_where_it_can_be_used_again(
    there: StandIn, embed: Embed, with_key: WithKey, noted: Page
) -> None:
    recording = there.add(1, State.READY, **READY)
    await embed(with_key(recording))
    slider = noted.get_by_role("slider")
    await expect(slider).to_have_attribute("aria-valuemax", "184")
    await slider.focus()
    await there.change(recording, State.FAILED, reason=Reason.TRUNCATED)
    await has_focus(noted, "Could not be fetched")
    await noted.keyboard.press("Tab")
    await has_focus(noted, "Retry")
    await noted.keyboard.press("Shift+Tab")
    await has_focus(noted, "outside")  # what is only said is no stop of its own
